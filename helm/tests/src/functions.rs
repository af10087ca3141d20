//! The functions of Helm and Sprig that the chart uses, and no others.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::rc::Rc;

use gtmpl::{Context, Func, FuncError, Template, Value};
use sha2::{Digest, Sha256};

use crate::values::{printed, to_json, whole_number};
use crate::yaml::write_yaml;

/// By their names in templates.
const FUNCTIONS: &[(&str, Func)] = &[
    ("add", add),
    ("contains", contains),
    ("default", default),
    ("dig", dig),
    ("div", div),
    ("fail", fail),
    ("include", include),
    ("int", int),
    ("int64", int),
    ("kindIs", kind_is),
    ("list", list),
    ("nindent", nindent),
    ("quote", quote),
    ("replace", replace),
    ("required", required),
    ("sha256sum", sha256sum),
    ("toJson", to_json_text),
    ("toYaml", to_yaml),
    ("trim", trim),
    ("trimSuffix", trim_suffix),
    ("trunc", trunc),
    ("upper", upper),
];

type Answer = Result<Value, FuncError>;

/// The files whose definitions every template sees, and those definitions that have been asked for. `include` needs
/// them, and a function gets nothing but its arguments.
#[derive(Default)]
struct Definitions {
    files: Vec<(String, String)>,
    parsed: HashMap<String, Rc<Template>>,
}

thread_local! {
    static DEFINITIONS: RefCell<Definitions> = RefCell::default();
}

/// Makes these files' definitions those of this thread.
pub fn define(files: &[(String, String)]) {
    DEFINITIONS.with_borrow_mut(|definitions| {
        if definitions.files != files {
            *definitions = Definitions { files: files.to_vec(), parsed: HashMap::new() };
        }
    });
}

/// A template that sees the functions and this thread's definitions.
pub fn template(name: &str, text: &str) -> Result<Template, FuncError> {
    let mut template = Template::with_name(name);
    template.add_funcs(FUNCTIONS);
    let files = DEFINITIONS.with_borrow(|definitions| definitions.files.clone());
    for (file, definitions) in files {
        template.add_template(file, definitions).map_err(told)?;
    }
    template.parse(text).map_err(told)?;
    Ok(template)
}

fn include(values: &[Value]) -> Answer {
    let [Value::String(name), dot] = values else { return wrong("include", values) };
    let parsed = DEFINITIONS.with_borrow(|definitions| definitions.parsed.get(name).cloned());
    let parsed = match parsed {
        Some(parsed) => parsed,
        None => Rc::new(template(&format!("include {name}"), &format!("{{{{ template {name:?} . }}}}"))?),
    };
    DEFINITIONS.with_borrow_mut(|definitions| definitions.parsed.insert(name.clone(), parsed.clone()));
    parsed.render(&Context::from(dot.clone())).map(Value::from).map_err(told)
}

#[allow(clippy::needless_pass_by_value)] // the form that `map_err` asks for
fn told(error: impl ToString) -> FuncError {
    FuncError::Generic(error.to_string())
}

fn wrong(function: &str, values: &[Value]) -> Answer {
    Err(FuncError::Generic(format!("{function} does not take {values:?}")))
}

fn text(value: &Value) -> String {
    match value {
        Value::NoValue | Value::Nil => String::new(),
        _ => printed(value),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::NoValue | Value::Nil => true,
        Value::Bool(value) => !value,
        Value::Number(_) => whole_number(value) == Some(0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Map(map) | Value::Object(map) => map.is_empty(),
        Value::Function(_) => false,
    }
}

fn default(values: &[Value]) -> Answer {
    let [otherwise, value] = values else { return wrong("default", values) };
    Ok(if is_empty(value) { otherwise.clone() } else { value.clone() })
}

/// As in Helm, a list that is empty counts as there.
fn required(values: &[Value]) -> Answer {
    let [Value::String(complaint), value] = values else { return wrong("required", values) };
    match value {
        Value::NoValue | Value::Nil => Err(FuncError::Generic(complaint.clone())),
        Value::String(text) if text.is_empty() => Err(FuncError::Generic(complaint.clone())),
        value => Ok(value.clone()),
    }
}

fn fail(values: &[Value]) -> Answer {
    let [Value::String(complaint)] = values else { return wrong("fail", values) };
    Err(FuncError::Generic(complaint.clone()))
}

/// `dig KEY... DEFAULT MAP`
fn dig(values: &[Value]) -> Answer {
    let [keys @ .., otherwise, map] = values else { return wrong("dig", values) };
    let mut found = map;
    for key in keys {
        let (Value::Map(map), Value::String(key)) = (found, key) else { return wrong("dig", values) };
        let Some(value) = map.get(key) else { return Ok(otherwise.clone()) };
        found = value;
    }
    Ok(found.clone())
}

fn kind_is(values: &[Value]) -> Answer {
    let [Value::String(kind), value] = values else { return wrong("kindIs", values) };
    let found = match value {
        Value::String(_) => "string",
        Value::Bool(_) => "bool",
        Value::Map(_) | Value::Object(_) => "map",
        Value::Array(_) => "slice",
        Value::Number(_) => "float64",
        _ => "invalid",
    };
    Ok(Value::Bool(kind == found))
}

#[allow(clippy::unnecessary_wraps)] // the form of every function
fn list(values: &[Value]) -> Answer {
    Ok(Value::Array(values.to_vec()))
}

fn int(values: &[Value]) -> Answer {
    let [value] = values else { return wrong("int", values) };
    // What is no number is 0, as in Sprig.
    Ok(Value::from(whole_number(value).unwrap_or(0)))
}

fn whole(function: &str, values: &[Value]) -> Result<(i64, i64), FuncError> {
    match values {
        [a, b] => Ok((whole_number(a).unwrap_or(0), whole_number(b).unwrap_or(0))),
        _ => Err(FuncError::ExactlyXArgs(function.to_owned(), 2)),
    }
}

fn add(values: &[Value]) -> Answer {
    whole("add", values).map(|(a, b)| Value::from(a + b))
}

fn div(values: &[Value]) -> Answer {
    let (a, b) = whole("div", values)?;
    a.checked_div(b).map(Value::from).ok_or_else(|| FuncError::Generic("div by 0".to_owned()))
}

fn quote(values: &[Value]) -> Answer {
    let [value] = values else { return wrong("quote", values) };
    Ok(Value::String(serde_json::Value::String(text(value)).to_string()))
}

fn to_json_text(values: &[Value]) -> Answer {
    let [value] = values else { return wrong("toJson", values) };
    Ok(Value::String(to_json(value).to_string()))
}

fn to_yaml(values: &[Value]) -> Answer {
    let [value] = values else { return wrong("toYaml", values) };
    Ok(Value::String(write_yaml(&to_json(value))))
}

fn nindent(values: &[Value]) -> Answer {
    let [spaces, Value::String(text)] = values else { return wrong("nindent", values) };
    let pad = " ".repeat(whole_number(spaces).unwrap_or(0).unsigned_abs() as usize);
    Ok(Value::String(format!("\n{pad}{}", text.replace('\n', &format!("\n{pad}")))))
}

fn trim(values: &[Value]) -> Answer {
    let [Value::String(text)] = values else { return wrong("trim", values) };
    Ok(Value::String(text.trim().to_owned()))
}

fn trunc(values: &[Value]) -> Answer {
    let [length, Value::String(text)] = values else { return wrong("trunc", values) };
    let length = whole_number(length).unwrap_or(0).unsigned_abs() as usize;
    Ok(Value::String(text.chars().take(length).collect()))
}

fn trim_suffix(values: &[Value]) -> Answer {
    let [Value::String(suffix), Value::String(text)] = values else { return wrong("trimSuffix", values) };
    Ok(Value::String(text.strip_suffix(suffix.as_str()).unwrap_or(text).to_owned()))
}

fn contains(values: &[Value]) -> Answer {
    let [Value::String(part), Value::String(text)] = values else { return wrong("contains", values) };
    Ok(Value::Bool(text.contains(part.as_str())))
}

fn replace(values: &[Value]) -> Answer {
    let [Value::String(from), Value::String(to), Value::String(text)] = values else { return wrong("replace", values) };
    Ok(Value::String(text.replace(from.as_str(), to)))
}

fn upper(values: &[Value]) -> Answer {
    let [Value::String(text)] = values else { return wrong("upper", values) };
    Ok(Value::String(text.to_uppercase()))
}

fn sha256sum(values: &[Value]) -> Answer {
    let [Value::String(text)] = values else { return wrong("sha256sum", values) };
    let mut hex = String::new();
    for byte in Sha256::digest(text) {
        let _ = write!(hex, "{byte:02x}");
    }
    Ok(Value::String(hex))
}
