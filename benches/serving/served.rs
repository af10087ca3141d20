//! What serving costs: inputs a second that clients get over HTTP beside the same tower in a loop of this process, with full batches and nothing around it.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::future::join_all;
use sensorium::config;
use sensorium_domain::encoder::{EncodeInput, Tower};
use sensorium_domain::segment::Modality;
use sensorium_media::{Limits, decode_image, sniff};
use sensorium_models::Source;
use sensorium_models::registry::{self, LoadOptions};
use serde_json::{Value, json};

use crate::content::{self, Random};
use crate::figures::{Values, print_table, short};
use crate::server::{Server, expect_success, root};
use crate::{Plan, machine};

const CLIENTS: usize = 32;
/// Inputs of a batch of the loop.
const BATCH: usize = 32;
/// Different inputs; each is sent again and again, to a server that remembers none.
const INPUTS: usize = 256;
const ROUNDS: usize = 5;
const AIM: f64 = 0.95;

/// What a tower is given, and what is sent to have it given that.
struct Kind {
    name: String,
    tower: Box<dyn Tower>,
    inputs: Vec<EncodeInput>,
    bodies: Vec<Value>,
}

/// The starter's towers, and CLIP B/32 where `make bench-peers` has written it.
pub async fn measure(plan: &Plan) {
    let mut rows = take_turns(plan, Vec::new(), [texts(), pictures(starter(), "starter tower")]).await;
    let clip = config::cache_dir().join("peers/models/clip-b32");
    if clip.join("config.json").exists() {
        let data = tempfile::tempdir().unwrap();
        let profile = data.path().join("clip.toml");
        std::fs::write(&profile, profile_of(&clip)).unwrap();
        let settings = vec![("profile.name", profile.display().to_string())];
        let tower = registry::load(&Source::Folder(clip), Modality::Image, &LoadOptions::default()).expect("CLIP");
        rows.extend(take_turns(plan, settings, [pictures(tower, "CLIP B/32")]).await);
    } else {
        println!("CLIP B/32 is not measured: `make bench-peers` has not written it");
    }
    let head = ["inputs", "loop/s", "served/s", "served / loop", "least", "most", "aim"];
    let title = format!("Served beside raw: {CLIENTS} clients, batches of {BATCH} in the loop ({})", machine::load());
    print_table(&title, &head, rows);
}

/// Turns of the loop and of a server, which is at rest during the other's.
async fn take_turns(
    plan: &Plan,
    mut settings: Vec<(&str, String)>,
    kinds: impl IntoIterator<Item = Kind>,
) -> Vec<Vec<String>> {
    let data = tempfile::tempdir().unwrap();
    settings.push(("encoder.cache_bytes", "0".to_owned()));
    let server = Server::start_with(data.path(), &settings).await;
    let span = Duration::from_secs(plan.of(8, 3) as u64);
    let mut rows = Vec::new();
    for kind in kinds {
        let (mut raw, mut served) = (Vec::new(), Vec::new());
        for round in 0..=ROUNDS {
            let (in_loop, over_http) = (raw_rate(&kind, span), served_rate(&server, &kind.bodies, span).await);
            if round > 0 {
                // The first warms both.
                raw.push(in_loop);
                served.push(over_http);
            }
        }
        let ratio = Values::of(served.iter().zip(&raw).map(|(served, raw)| served / raw));
        let (raw, served) = (Values::of(raw), Values::of(served));
        let ratios = [ratio.p50(), ratio.quantile(0.0), ratio.max(), AIM].map(short);
        rows.push([vec![kind.name.clone(), short(raw.p50()), short(served.p50())], ratios.to_vec()].concat());
    }
    server.stop().await;
    rows
}

/// One space of CLIP's two towers.
fn profile_of(clip: &Path) -> String {
    format!(
        "name = \"clip\"\nsummary = \"CLIP B/32\"\n[models.clip]\nfolder = \"{}\"\nlicence = \"MIT\"\n\
         [spaces.visual]\ndimensions = 512\ntowers = {{ text = \"clip\", image = \"clip\" }}\n",
        clip.display()
    )
}

fn texts() -> Kind {
    let folder = config::cache_dir().join("models/all-MiniLM-L6-v2");
    let with = LoadOptions { architecture: Some("bert".to_owned()), ..LoadOptions::default() };
    let tower = registry::load(&Source::Folder(folder), Modality::Text, &with).expect("the text model");
    let mut random = Random::new(7);
    let texts: Vec<String> = (0..INPUTS).map(|_| content::text(&mut random, 7)).collect();
    Kind {
        name: "texts of about 120 tokens, MiniLM".to_owned(),
        tower,
        inputs: texts.iter().map(|text| EncodeInput::Text(text.as_str().into())).collect(),
        bodies: texts.iter().map(|text| json!({"inputs": [{"text": text}]})).collect(),
    }
}

fn starter() -> Box<dyn Tower> {
    let with = LoadOptions { architecture: Some("sensorium-picture-tower".to_owned()), ..LoadOptions::default() };
    let folder = Source::Bundled(root().join("models/starter"));
    registry::load(&folder, Modality::Image, &with).expect("the picture tower")
}

fn pictures(tower: Box<dyn Tower>, model: &str) -> Kind {
    let mut random = Random::new(8);
    let files: Vec<Vec<u8>> = (0..INPUTS).map(|_| content::picture(&mut random)).collect();
    let decoded = |file: &Vec<u8>| {
        let kind = sniff(file, None).expect("a picture");
        let picture = decode_image(file, kind, &Limits::default()).expect("a picture").on_white();
        EncodeInput::Image { width_px: picture.width_px, height_px: picture.height_px, rgb: picture.rgb.into() }
    };
    Kind {
        name: format!("pictures of 64 to 512 px, PNG and SVG, {model}"),
        tower,
        inputs: files.iter().map(decoded).collect(),
        bodies: files.iter().map(|file| json!({"inputs": [{"image": {"base64": STANDARD.encode(file)}}]})).collect(),
    }
}

fn raw_rate(kind: &Kind, span: Duration) -> f64 {
    let begun = Instant::now();
    let mut done = 0;
    for batch in kind.inputs.chunks(BATCH).cycle() {
        let vectors = kind.tower.forward(batch).expect("vectors");
        assert_eq!(vectors.len(), batch.len());
        done += batch.len();
        if begun.elapsed() >= span {
            break;
        }
    }
    done as f64 / begun.elapsed().as_secs_f64()
}

async fn served_rate(server: &Server, bodies: &[Value], span: Duration) -> f64 {
    let (next, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let begun = Instant::now();
    let client = || async {
        let mut done = 0;
        while !is_over.load(Ordering::Relaxed) {
            let body = &bodies[next.fetch_add(1, Ordering::Relaxed) % bodies.len()];
            let answer = server.post("/v1/embeddings").json(body).send().await.expect("an answer");
            expect_success(answer).await.bytes().await.expect("a body");
            is_over.store(begun.elapsed() >= span, Ordering::Relaxed);
            done += 1;
        }
        done
    };
    let done: usize = join_all((0..CLIENTS).map(|_| client())).await.into_iter().sum();
    done as f64 / begun.elapsed().as_secs_f64()
}
