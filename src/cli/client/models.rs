//! `sensorium models running`: what a server runs.

use clap::Args;
use serde_json::Value;

use super::connection::ConnectionArgs;
use super::http::Client;
use super::output::{self, clean, line};
use super::pages::cell;
use super::problem::{CliError, Exit};
use super::table;

/// List the profile, spaces and models that the server runs.
#[derive(Debug, Clone, Args)]
pub struct ModelsRunningArgs {
    /// JSON in place of the table
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
pub async fn run(args: ModelsRunningArgs, connection: ConnectionArgs) -> Result<Exit, CliError> {
    let models = Client::new(&connection)?.get(&["models"], &[]).await?;
    if args.json {
        output::json(&models)?;
        return Ok(Exit::Done);
    }
    line(&clean(&format!("profile {}, generation {}", cell(&models, "/profile"), cell(&models, "/generation"))))?;
    table::print(&["space", "dimensions", "modality", "model", "licence"], &[1], rows(&models), "no model")?;
    for note in models["notes"].as_array().into_iter().flatten() {
        eprintln!("note: {}", clean(&cell(note, "")));
    }
    Ok(Exit::Done)
}

/// A row for each tower of each space.
fn rows(models: &Value) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for space in models["spaces"].as_array().into_iter().flatten() {
        for tower in space["towers"].as_array().into_iter().flatten() {
            let cells = [
                (space, "/name"),
                (space, "/dimensions"),
                (tower, "/modality"),
                (tower, "/model"),
                (tower, "/licence"),
            ];
            rows.push(cells.map(|(value, pointer)| cell(value, pointer)).to_vec());
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tower_is_a_row() {
        let models = serde_json::json!({"spaces": [{"name": "shared", "dimensions": 384,
            "towers": [{"modality": "text", "model": "minilm@1", "licence": "Apache-2.0"}, {"modality": "image", "model": "eye@2"}]}]});
        let expected = [["shared", "384", "text", "minilm@1", "Apache-2.0"], ["shared", "384", "image", "eye@2", ""]];
        assert_eq!(rows(&models), expected);
    }
}
