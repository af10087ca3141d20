//! Our side of `make bench-peers`: runs the forward of one model on inputs that are prepared, as often as a line asks for.
//!
//! `peer_side MODEL FOLDER INPUTS PRECISION`: `FOLDER` has the model in the layout of Transformers, `INPUTS` is a safetensors file whose tensor
//! `inputs` has an input in each row (pixels, features, or numbers of tokens), and `PRECISION` is `f32` or `bf16`. Threads are as many as
//! `RAYON_NUM_THREADS` says. It says `{"loaded": true}` and then answers lines of JSON:
//!
//! ```text
//! {"batch": 8, "save": "FILE"}      runs once and writes the tensor `outputs`; {"how": ""}
//! {"batch": 8, "seconds": 1.5}      runs for about so long; {"items": 128, "seconds": 1.52}
//! ```

use std::collections::HashMap;
use std::error::Error;
use std::hint::black_box;
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use candle_core::{DType, Device, Tensor, safetensors};
use sensorium_domain::encoder::{EncodeInput, Tower};
use sensorium_models::clip::{ClipText, ClipVision};
use sensorium_models::siglip::SiglipVision;
use sensorium_models::starter::{PictureTower, SAMPLE_RATE_HZ, SoundTower};
use sensorium_models::text::TextOptions;
use sensorium_models::{ClapAudio, Source, TextEncoder, Whisper};
use serde::Deserialize;
use serde_json::json;

type Fault = Box<dyn Error + Send + Sync>;

/// The first so many inputs, in the forms that models take them.
struct Batch {
    /// Inputs of any shape in the model's precision.
    values: Tensor,
    /// Numbers of tokens; none where inputs are no texts.
    ids: Vec<Vec<u32>>,
    /// The values of each input in f32; none where inputs are texts.
    rows: Vec<Vec<f32>>,
}

impl Batch {
    fn of(inputs: &Tensor, size: usize, dtype: DType) -> Result<Self, Fault> {
        let inputs = inputs.narrow(0, 0, size)?;
        if inputs.dtype() == DType::I64 {
            let ids = inputs.to_dtype(DType::U32)?.to_vec2()?;
            return Ok(Self { values: inputs, ids, rows: Vec::new() });
        }
        let rows = inputs.flatten_from(1)?.to_vec2()?;
        Ok(Self { values: inputs.to_dtype(dtype)?, ids: Vec::new(), rows })
    }
}

/// A model as it is measured.
trait Model: Send + Sync {
    /// An output for each input: inputs x dimensions, for Whisper windows x positions x width.
    fn run(&self, batch: &Batch) -> Result<Tensor, Fault>;
}

impl Model for ClipVision {
    fn run(&self, batch: &Batch) -> Result<Tensor, Fault> {
        Ok(self.features(&batch.values)?)
    }
}

impl Model for ClipText {
    fn run(&self, batch: &Batch) -> Result<Tensor, Fault> {
        Ok(self.features(&batch.ids)?)
    }
}

impl Model for SiglipVision {
    fn run(&self, batch: &Batch) -> Result<Tensor, Fault> {
        Ok(self.features(&batch.values)?)
    }
}

impl Model for TextEncoder {
    fn run(&self, batch: &Batch) -> Result<Tensor, Fault> {
        Ok(Tensor::new(self.encode_ids(&batch.ids)?, &Device::Cpu)?)
    }
}

impl Model for ClapAudio {
    fn run(&self, batch: &Batch) -> Result<Tensor, Fault> {
        let rows: Vec<&[f32]> = batch.rows.iter().map(Vec::as_slice).collect();
        let vectors = self.encode_features(&rows)?.into_iter().collect::<Result<Vec<_>, String>>()?;
        Ok(Tensor::new(vectors, &Device::Cpu)?)
    }
}

impl Model for Whisper {
    fn run(&self, batch: &Batch) -> Result<Tensor, Fault> {
        Ok(self.encode_features(&batch.values)?)
    }
}

/// Width and height of the pictures of the starter's tower, in which it resizes nothing.
const STARTER_SIDE_PX: u32 = 64;

impl Model for PictureTower {
    /// Channels, rows, columns between 0 and 1 to bytes: the tower takes a picture as it was decoded.
    fn run(&self, batch: &Batch) -> Result<Tensor, Fault> {
        let picture = |planes: &Vec<f32>| {
            let area = planes.len() / 3;
            let byte = |place: usize| (planes[place % 3 * area + place / 3] * 255.0).round() as u8;
            let rgb = (0..planes.len()).map(byte).collect();
            EncodeInput::Image { width_px: STARTER_SIDE_PX, height_px: STARTER_SIDE_PX, rgb }
        };
        vectors(self, &batch.rows.iter().map(picture).collect::<Vec<_>>())
    }
}

impl Model for SoundTower {
    fn run(&self, batch: &Batch) -> Result<Tensor, Fault> {
        let sound = |samples: &Vec<f32>| EncodeInput::Audio {
            sample_rate_hz: SAMPLE_RATE_HZ,
            samples: samples.as_slice().into(),
        };
        vectors(self, &batch.rows.iter().map(sound).collect::<Vec<_>>())
    }
}

fn vectors(tower: &impl Tower, inputs: &[EncodeInput]) -> Result<Tensor, Fault> {
    let vectors = tower.forward(inputs)?.into_iter().collect::<Result<Vec<_>, String>>()?;
    Ok(Tensor::new(vectors, &Device::Cpu)?)
}

/// The model of this name; the names are those of benches/peers/models.py.
fn load(name: &str, folder: &Path, dtype: DType) -> Result<Box<dyn Model>, Fault> {
    let (source, device) = (Source::Folder(folder.to_owned()), Device::Cpu);
    Ok(match name {
        "clip-vision" => Box::new(ClipVision::load(&source, dtype, &device)?),
        "clip-text" => Box::new(ClipText::load(&source, dtype, &device)?),
        "siglip-vision" => Box::new(SiglipVision::load(&source, dtype, &device)?),
        "sentences" => Box::new(TextEncoder::load_on(&source, dtype, &device, TextOptions::default())?),
        "clap-audio" => Box::new(ClapAudio::load(&source, dtype, &device)?),
        "whisper" => Box::new(Whisper::load(&source, dtype, &device)?),
        "starter-picture" => Box::new(PictureTower::load(&source)?),
        "starter-sound" => Box::new(SoundTower::load(&source)?),
        other => return Err(format!("there is no model {other}").into()),
    })
}

/// The tensor of the file, as the model takes it.
fn read_inputs(model: &str, path: &Path) -> Result<Tensor, Fault> {
    let inputs = safetensors::load(path, &Device::Cpu)?.remove("inputs").ok_or("the file has no tensor \"inputs\"")?;
    // The reference has bands before frames; here frames come first.
    Ok(if model == "whisper" { inputs.transpose(1, 2)?.contiguous()? } else { inputs })
}

/// A line on the standard input.
#[derive(Deserialize)]
struct Request {
    batch: usize,
    #[serde(default)]
    seconds: f64,
    save: Option<PathBuf>,
}

fn answer(model: &dyn Model, inputs: &Tensor, dtype: DType, line: &str) -> Result<serde_json::Value, Fault> {
    let request: Request = serde_json::from_str(line)?;
    let batch = Batch::of(inputs, request.batch, dtype)?;
    if let Some(path) = request.save {
        let outputs = model.run(&batch)?.to_dtype(DType::F32)?.contiguous()?;
        safetensors::save(&HashMap::from([("outputs", outputs)]), path)?;
        return Ok(json!({ "how": "" }));
    }
    // Not counted: caches belong to whoever ran before.
    model.run(&batch)?;
    let (mut runs, begun) = (0, Instant::now());
    loop {
        black_box(model.run(&batch)?);
        runs += 1;
        let passed = begun.elapsed().as_secs_f64();
        if passed >= request.seconds {
            return Ok(json!({ "items": runs * request.batch, "seconds": passed }));
        }
    }
}

fn say(value: &serde_json::Value) -> Result<(), Fault> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{value}")?;
    Ok(out.flush()?)
}

fn serve() -> Result<(), Fault> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, folder, inputs, precision] = arguments.as_slice() else {
        return Err("use: peer_side MODEL FOLDER INPUTS PRECISION".into());
    };
    let dtype = match precision.as_str() {
        "f32" => DType::F32,
        "bf16" => DType::BF16,
        other => return Err(format!("there is no precision {other}").into()),
    };
    // The server computes inside a pool of its own too.
    let threads = rayon::ThreadPoolBuilder::new().build()?;
    let model = load(name, Path::new(folder), dtype)?;
    let inputs = read_inputs(name, Path::new(inputs))?;
    say(&json!({ "loaded": true }))?;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        say(&threads.install(|| answer(model.as_ref(), &inputs, dtype, &line))?)?;
    }
    Ok(())
}

fn main() -> ExitCode {
    let Err(fault) = serve() else { return ExitCode::SUCCESS };
    // Who cannot hear it has ended.
    let _ = say(&json!({ "error": fault.to_string() }));
    ExitCode::FAILURE
}
