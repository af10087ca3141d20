//! Reads, layers and checks the settings. Unknown options and wrong types are found by comparing with the defaults, so
//! that every fault is reported in one go.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::{Config, DEFAULTS};

/// Every fault that was found, a line each.
#[derive(Debug, thiserror::Error)]
#[error("the configuration has {} fault(s):\n  {}", .0.len(), .0.join("\n  "))]
pub struct ConfigError(pub Vec<String>);

/// Values that flags set, as `section.key` and value.
pub type Overrides = Vec<(&'static str, String)>;

/// Layers defaults, `file`, the environment's `SENSORIUM__*` variables and `overrides`, and checks the result.
pub fn load(
    file: Option<&Path>,
    environment: impl Iterator<Item = (String, String)>,
    overrides: Overrides,
) -> Result<Config, ConfigError> {
    let defaults: Table = DEFAULTS.parse().map_err(|error| ConfigError(vec![format!("defaults: {error}")]))?;
    let mut merged = defaults.clone();
    let mut faults = Vec::new();
    if let Some(path) = file {
        match read_file(path) {
            Ok(table) => merge_file(&mut merged, &defaults, table, &mut faults),
            Err(fault) => faults.push(fault),
        }
    }
    for (name, text) in environment {
        let Some(rest) = name.strip_prefix("SENSORIUM__") else { continue };
        let path = rest.to_lowercase().replacen("__", ".", 1);
        set_from_text(&mut merged, &defaults, &path, &text, &name, &mut faults);
    }
    for (path, text) in overrides {
        set_from_text(&mut merged, &defaults, path, &text, path, &mut faults);
    }
    nest_limits(&mut merged);
    match merged.try_into::<Config>() {
        Ok(config) => {
            faults.extend(config.faults());
            if faults.is_empty() { Ok(config) } else { Err(ConfigError(faults)) }
        }
        Err(error) => {
            faults.push(error.message().to_owned());
            Err(ConfigError(faults))
        }
    }
}

/// The bounds on media are a type of their own; in the file they are options of `[ingest]` like the others.
fn nest_limits(merged: &mut Table) {
    const LIMITS: [&str; 9] = [
        "max_bytes",
        "max_pixels",
        "max_side_px",
        "max_duration_ms",
        "max_decoded_samples",
        "max_text_bytes",
        "max_svg_nodes",
        "max_svg_painted_pixels",
        "max_segments",
    ];
    if let Some(Value::Table(ingest)) = merged.get_mut("ingest") {
        let limits: Table =
            LIMITS.iter().filter_map(|key| ingest.remove(*key).map(|value| ((*key).to_owned(), value))).collect();
        ingest.insert("limits".to_owned(), Value::Table(limits));
    }
}

fn read_file(path: &Path) -> Result<Table, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    text.parse().map_err(|error: toml::de::Error| format!("{}: {error}", path.display()))
}

fn merge_file(merged: &mut Table, defaults: &Table, file: Table, faults: &mut Vec<String>) {
    for (section, value) in file {
        let Some(known) = defaults.get(&section).and_then(Value::as_table) else {
            faults.push(format!("[{section}]: no such section; there are {}", names(defaults)));
            continue;
        };
        let Value::Table(options) = value else {
            faults.push(format!("{section}: must be a section, [{section}]"));
            continue;
        };
        for (key, value) in options {
            match known.get(&key) {
                None => faults.push(format!("{section}.{key}: no such option; there are {}", names(known))),
                Some(default) => set(merged, &section, &key, value, default, &format!("{section}.{key}"), faults),
            }
        }
    }
}

fn set_from_text(merged: &mut Table, defaults: &Table, path: &str, text: &str, shown: &str, faults: &mut Vec<String>) {
    let (section, key) = path.split_once('.').unwrap_or((path, ""));
    let Some(default) = defaults.get(section).and_then(|options| options.get(key)) else {
        faults.push(format!("{shown}: no option {path}"));
        return;
    };
    let value = if default.is_str() {
        Value::String(text.to_owned())
    } else {
        let parsed = format!("value = {text}").parse::<Table>().ok();
        let Some(value) = parsed.and_then(|mut table| table.remove("value")) else {
            faults.push(format!("{shown}: \"{text}\" is not {}", form(default)));
            return;
        };
        value
    };
    set(merged, section, key, value, default, shown, faults);
}

fn set(
    merged: &mut Table,
    section: &str,
    key: &str,
    value: Value,
    default: &Value,
    shown: &str,
    faults: &mut Vec<String>,
) {
    let value = match (default, value) {
        (Value::Float(_), Value::Integer(number)) => Value::Float(number as f64),
        (_, value) => value,
    };
    let negative = value.as_integer().is_some_and(|number| number < 0);
    if !value.same_type(default) || negative {
        faults.push(format!("{shown}: must be {}, not {value}", form(default)));
    } else if let Some(Value::Table(options)) = merged.get_mut(section) {
        options.insert(key.to_owned(), value);
    }
}

fn form(default: &Value) -> &'static str {
    match default {
        Value::Integer(_) => "a whole number from 0",
        Value::Float(_) => "a number",
        Value::Boolean(_) => "true or false",
        Value::Array(_) => "a list",
        _ => "a text",
    }
}

fn names(table: &Table) -> String {
    table.keys().cloned().collect::<Vec<_>>().join(", ")
}

/// The user's cache folder for this program: `$XDG_CACHE_HOME/sensorium` or `~/.cache/sensorium`.
pub fn cache_dir() -> PathBuf {
    std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")))
        .unwrap_or_else(std::env::temp_dir)
        .join("sensorium")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::LanesChoice;

    fn with(file: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.toml");
        std::fs::write(&path, file).unwrap();
        let environment: Vec<_> = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        load(Some(&path), environment.into_iter(), Vec::new())
    }

    #[test]
    fn defaults_are_valid_and_layers_override() {
        assert_eq!(with("", &[]).unwrap().search.depth, 300);
        let config = with("[search]\ndepth = 10\nlexical_weight = 1", &[("SENSORIUM__SEARCH__DEPTH", "20")]).unwrap();
        assert_eq!(config.search.depth, 20);
        assert!((config.search.lexical_weight - 1.0).abs() < 1e-6);
    }

    #[test]
    fn every_fault_is_reported_at_once() {
        let error = with(
            "[search]\ndepht = 1\nmax_inputs = \"many\"\n[nope]\nx = 1\n[ingest]\nchunk_tokens = 1",
            &[("SENSORIUM__JOBS__WORKERS", "-3"), ("SENSORIUM__JOBS__NOPE", "1")],
        )
        .unwrap_err();
        for name in ["depht", "max_inputs", "[nope]", "chunk_tokens", "JOBS__WORKERS", "JOBS__NOPE"] {
            assert!(error.to_string().contains(name), "{name} in {error}");
        }
        assert_eq!(error.0.len(), 7, "{error}"); // chunk_tokens breaks two rules
    }

    #[test]
    fn what_lanes_apart_would_ignore_is_refused() {
        assert_eq!(with("", &[]).unwrap().encoder.lanes, LanesChoice::Auto);
        let beside = ("SENSORIUM__ENCODER__BATCH_COST_BESIDE_SEARCHES", "800");
        let error = with("[encoder]\nlanes = \"apart\"", &[beside]).unwrap_err();
        assert_eq!(error.0.len(), 1, "{error}");
        assert!(error.to_string().contains("encoder.batch_cost_beside_searches"), "{error}");
        for lanes in ["auto", "shared"] {
            assert!(with("", &[beside, ("SENSORIUM__ENCODER__LANES", lanes)]).is_ok());
        }
        assert!(with("[encoder]\nlanes = \"together\"", &[]).is_err());
    }

    #[test]
    fn listening_beyond_loopback_needs_a_secret() {
        let open = "[server]\nlisten = \"0.0.0.0:80\"\n";
        assert!(with(open, &[]).unwrap_err().to_string().contains("hs256_secret"));
        let secret = format!("{open}[auth]\nhs256_secret = \"{}\"", "s".repeat(32));
        assert!(with(&secret, &[]).is_ok());
    }
}
