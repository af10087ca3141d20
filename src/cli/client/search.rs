//! `sensorium search`: any modality asks, any answers.

use std::path::PathBuf;

use clap::{ArgGroup, Args, ValueEnum};
use reqwest::multipart::{Form, Part};
use reqwest::{Body, Method, RequestBuilder};
use serde_json::{Map, Value, json};
use tokio_util::io::ReaderStream;

use super::connection::ConnectionArgs;
use super::hits::{self, Answer};
use super::http::{Client, typed};
use super::inputs::{Asked, Input, filter, json_object, parse_like};
use super::output::{self, Look};
use super::patience;
use super::problem::{CliError, Exit};

/// Search with words, pictures, sounds and stored things, in any mix.
///
/// Exit code: 0 also when nothing was found (4 with --fail-empty), 1 refused, 2 wrong usage, 3 no connection.
#[derive(Debug, Clone, Args)]
#[command(group = ArgGroup::new("asked").args(["text", "image", "audio", "like", "input"]).required(true).multiple(true))]
pub struct SearchArgs {
    /// Words
    pub text: Option<String>,
    /// A picture asks; may be given several times
    #[arg(long, value_name = "FILE")]
    pub image: Vec<PathBuf>,
    /// A sound asks; may be given several times
    #[arg(long, value_name = "FILE")]
    pub audio: Vec<PathBuf>,
    /// A stored segment or document asks: more like this
    #[arg(long, value_name = "ID", value_parser = parse_like)]
    pub like: Vec<Asked>,
    /// An input with a weight, e.g. 'text=red;weight=0.5' or 'image=a.png;weight=-0.3'; kinds: text, image, audio, segment, document
    #[arg(long, value_name = "KIND=VALUE[;weight=W]")]
    pub input: Vec<Input>,
    /// Only this collection; may be given several times
    #[arg(short, long = "collection", value_name = "NAME")]
    pub collections: Vec<String>,
    /// Only this modality answers; may be given several times
    #[arg(short, long = "target", value_name = "MODALITY")]
    pub targets: Vec<Target>,
    /// Only documents with this tag; with several, those that have all
    #[arg(long = "tag", value_name = "TAG")]
    pub tags: Vec<String>,
    /// Conditions, e.g. '{"must":[{"key":"metadata.year","range":{"gte":2020}}]}'
    #[arg(long, value_name = "JSON", value_parser = json_object)]
    pub filter: Option<Value>,
    /// Hits on a page
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
    /// Leave out hits of lower confidence, 0 to 1
    #[arg(long, value_name = "X", value_parser = parse_confidence)]
    pub min_confidence: Option<f64>,
    /// Tell how each hit came: rank, score, weight and contribution of every leg
    #[arg(long)]
    pub explain: bool,
    /// How ranked lists are joined
    #[arg(long, value_name = "METHOD")]
    pub method: Option<FusionMethod>,
    /// Whether inputs are joined after the search, before, or both
    #[arg(long, value_name = "MODE")]
    pub mode: Option<FusionMode>,
    /// Whether a hit is a document or a single segment
    #[arg(long, value_name = "BY")]
    pub group_by: Option<GroupBy>,
    /// Go on where a page ended; everything else as before
    #[arg(long, value_name = "TOKEN")]
    pub page_token: Option<String>,
    /// The server's answer as JSON in place of the table
    #[arg(long)]
    pub json: bool,
    /// Exit code 4 when nothing is found
    #[arg(long)]
    pub fail_empty: bool,
}

macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            fn json(self) -> Value {
                json!(match self { $(Self::$variant => $text,)* })
            }
        }
    };
}

choice! {
    /// What may answer.
    Target {
        /// Written words
        Text = "text",
        /// Pictures
        Image = "image",
        /// Sounds
        Audio = "audio",
        /// Moving pictures
        Video = "video",
    }
}
choice! {
    /// How ranked lists are joined.
    FusionMethod {
        /// Weighted reciprocal rank fusion
        Rrf = "rrf",
        /// Scores by mean and deviation of their list
        Dbsf = "dbsf",
        /// Scores by least and greatest of their list
        Weighted = "weighted",
    }
}
choice! {
    /// When inputs are joined.
    FusionMode {
        /// A ranked list for each input, joined afterwards
        Late = "late",
        /// One vector of all inputs, before the search
        Early = "early",
        /// Both
        Hybrid = "hybrid",
    }
}
choice! {
    /// What a hit is.
    GroupBy {
        /// A document, with its best segments
        Document = "document",
        /// A segment
        None = "none",
    }
}

fn parse_confidence(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|least| (0.0..=1.0).contains(least)).ok_or_else(|| "not a number from 0 to 1".to_owned())
}

/// Runs the command.
pub async fn run(args: SearchArgs, connection: ConnectionArgs) -> Result<Exit, CliError> {
    let inputs = inputs(&args);
    let query = query(&args, &inputs)?;
    let client = Client::new(&connection)?;
    let response = patience::send(&client, async || request(&client, &query, &inputs).await).await?;
    let body = client.read_json(response).await?;
    let answer: Answer = typed(&body)?;
    if args.json {
        output::json(&body)?;
    } else {
        hits::print(&answer, Look::of_stdout())?;
    }
    Ok(if args.fail_empty && answer.hits.is_empty() { Exit::Empty } else { Exit::Done })
}

fn inputs(args: &SearchArgs) -> Vec<Input> {
    let text = args.text.iter().cloned().map(Asked::Text);
    let images = args.image.iter().cloned().map(Asked::Image);
    let sounds = args.audio.iter().cloned().map(Asked::Audio);
    let plain = text.chain(images).chain(sounds).chain(args.like.iter().cloned());
    plain.map(Input::from).chain(args.input.iter().cloned()).collect()
}

fn field(index: usize) -> String {
    format!("input{index}")
}

/// The request's JSON. What was not given is left to the server's defaults.
fn query(args: &SearchArgs, inputs: &[Input]) -> Result<Value, CliError> {
    let inputs: Vec<_> = inputs.iter().enumerate().map(|(index, input)| input.json(&field(index))).collect();
    let mut fusion = Map::new();
    fusion.extend(args.mode.map(|mode| ("mode".to_owned(), mode.json())));
    fusion.extend(args.method.map(|method| ("method".to_owned(), method.json())));
    let targets: Vec<_> = args.targets.iter().map(|target| target.json()).collect();
    let optional = [
        ("collections", (!args.collections.is_empty()).then(|| json!(args.collections))),
        ("targets", (!targets.is_empty()).then(|| json!(targets))),
        ("filter", filter(args.filter.as_ref(), &args.tags).map_err(CliError::Usage)?),
        ("fusion", (!fusion.is_empty()).then_some(Value::Object(fusion))),
        ("group_by", args.group_by.map(GroupBy::json)),
        ("min_confidence", args.min_confidence.map(|least| json!(least))),
        ("page_token", args.page_token.as_ref().map(|token| json!(token))),
        ("explain", args.explain.then_some(json!(true))),
    ];
    let mut query = Map::from_iter([("inputs".to_owned(), json!(inputs)), ("page_size".to_owned(), json!(args.limit))]);
    query.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    Ok(Value::Object(query))
}

async fn request(client: &Client, query: &Value, inputs: &[Input]) -> Result<RequestBuilder, CliError> {
    let request = client.request(Method::POST, &["search"]);
    if inputs.iter().all(|input| input.asked.file().is_none()) {
        return Ok(request.json(query));
    }
    let mut form = Form::new().text("query", query.to_string());
    for (index, input) in inputs.iter().enumerate() {
        if let Some(path) = input.asked.file() {
            let unreadable =
                |error: std::io::Error| CliError::Failed(format!("{} cannot be read: {error}", path.display()));
            let file = tokio::fs::File::open(path).await.map_err(unreadable)?;
            let length = file.metadata().await.map_err(unreadable)?.len();
            let part = Part::stream_with_length(Body::wrap_stream(ReaderStream::new(file)), length);
            form = form.part(field(index), part.file_name("file"));
        }
    }
    Ok(request.multipart(form))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: SearchArgs,
    }

    fn parsed(line: &[&str]) -> Result<SearchArgs, clap::Error> {
        Line::try_parse_from([&["search"], line].concat()).map(|line| line.args)
    }

    fn asked(line: &[&str]) -> Option<Value> {
        let args = parsed(line).ok()?;
        query(&args, &inputs(&args)).ok()
    }

    #[test]
    fn something_must_be_asked() {
        assert!(parsed(&[]).is_err());
        assert!(parsed(&["--tag", "x"]).is_err());
        assert!(parsed(&["--image", "a.png"]).is_ok());
        assert!(parsed(&["one", "two"]).is_err());
    }

    #[test]
    fn values_are_checked_before_anything_is_sent() {
        for line in [
            ["--min-confidence", "2"],
            ["--filter", "[]"],
            ["--target", "smell"],
            ["--limit", "0"],
            ["--method", "max"],
            ["--like", "x"],
        ] {
            assert!(parsed(&["a", line[0], line[1]]).is_err(), "{line:?}");
        }
    }

    #[test]
    fn what_is_not_given_is_left_out() {
        assert_eq!(asked(&["a red bicycle"]), Some(json!({"inputs": [{"text": "a red bicycle"}], "page_size": 10})));
    }

    #[test]
    fn everything_together() {
        let line = [
            "bell",
            "--image",
            "a.png",
            "--audio",
            "b.wav",
            "--like",
            "seg_1",
            "--input",
            "text=dark;weight=-0.5",
            "-c",
            "x",
            "-c",
            "y",
            "-t",
            "audio",
            "--tag",
            "bike",
            "-n",
            "3",
            "--min-confidence",
            "0.25",
            "--explain",
            "--method",
            "dbsf",
            "--mode",
            "hybrid",
            "--group-by",
            "none",
            "--page-token",
            "p",
        ];
        let expected = json!({
            "inputs": [{"text": "bell"}, {"image": {"file": "input1"}}, {"audio": {"file": "input2"}}, {"segment": "seg_1"},
                {"text": "dark", "weight": -0.5}],
            "page_size": 3, "collections": ["x", "y"], "targets": ["audio"],
            "filter": {"must": [{"key": "tags", "match": {"value": "bike"}}]},
            "fusion": {"mode": "hybrid", "method": "dbsf"}, "group_by": "none", "min_confidence": 0.25, "page_token": "p", "explain": true,
        });
        assert_eq!(asked(&line), Some(expected));
    }
}
