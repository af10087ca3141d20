//! A chart in a folder, and what its templates say for some values.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use gtmpl::{Context, Value};
use serde_json::{Value as Json, json};

use crate::error::ChartError;
use crate::functions::{define, template};
use crate::objects::{Object, read_objects};
use crate::values::{merge, to_template};
use crate::yaml::read_yaml;

/// A chart.
#[derive(Debug)]
pub struct Chart {
    /// `Chart.yaml`.
    pub about: Json,
    /// `values.yaml`.
    pub values: Json,
    definitions: Vec<(String, String)>,
    templates: Vec<(String, String)>,
}

/// What a chart becomes.
#[derive(Debug)]
pub struct Rendered {
    /// Every object.
    pub objects: Vec<Object>,
    /// What a person is told after an installation.
    pub notes: String,
    /// The values that were used.
    pub values: Json,
}

impl Chart {
    /// Reads a chart's files.
    pub fn load(folder: &Path) -> Result<Self, ChartError> {
        let mut files = Vec::new();
        let templates = folder.join("templates");
        for entry in fs::read_dir(&templates).map_err(at(&templates))? {
            let path = entry.map_err(at(&templates))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            files.push((name, fs::read_to_string(&path).map_err(at(&path))?));
        }
        files.sort();
        let (definitions, templates) = files.into_iter().partition(|(name, _)| name.starts_with('_'));
        let about = read_file(&folder.join("Chart.yaml"))?;
        let values = read_file(&folder.join("values.yaml"))?;
        Ok(Self { about, values, definitions, templates })
    }

    /// Renders every template of a release for values that are laid upon the chart's own, and reads what comes of them.
    pub fn render(&self, release: &str, over: &Json) -> Result<Rendered, ChartError> {
        let mut values = self.values.clone();
        merge(&mut values, over);
        let about = |key: &str| self.about[key].clone();
        let mut context = HashMap::new();
        let chart = json!({"Name": about("name"), "Version": about("version"), "AppVersion": about("appVersion")});
        let release = json!({"Name": release, "Namespace": "media", "Service": "Helm"});
        for (key, value) in [("Values", &values), ("Chart", &chart), ("Release", &release)] {
            context.insert(key.to_owned(), to_template(value));
        }
        let context = Context::from(Value::Map(context));

        define(&self.definitions);
        let mut rendered = Rendered { objects: Vec::new(), notes: String::new(), values };
        for (name, text) in &self.templates {
            let text = render(name, text, &context)?;
            if name == "NOTES.txt" {
                rendered.notes = text;
            } else {
                rendered.objects.extend(read_objects(name, &text)?);
            }
        }
        Ok(rendered)
    }
}

fn render(name: &str, text: &str, context: &Context) -> Result<String, ChartError> {
    let failed = |text: String| ChartError::Template { template: name.to_owned(), text };
    let template = template(name, text).map_err(|error| failed(error.to_string()))?;
    let text = template.render(context).map_err(|error| failed(error.to_string()))?;
    // Helm would write nothing there, which hides a value that does not exist.
    match text.lines().find(|line| line.contains("<no value>")) {
        Some(line) => Err(failed(format!("a value that is not there: {line}"))),
        None => Ok(text),
    }
}

fn read_file(path: &Path) -> Result<Json, ChartError> {
    let text = fs::read_to_string(path).map_err(at(path))?;
    let documents = read_yaml(&path.display().to_string(), &text)?;
    Ok(documents.into_iter().next().unwrap_or(Json::Null))
}

fn at(path: &Path) -> impl Fn(std::io::Error) -> ChartError + '_ {
    |error| ChartError::File { path: path.to_owned(), error }
}
