//! Pictures and questions to answers.

use candle_core::{DType, Device, Tensor};
use sensorium_domain::EncodeInput;

use super::config::{Config, Purpose};
use super::error::BlipError;
use super::options::GenerateOptions;
use super::precision;
use super::text::{Text, beyond};
use super::vision::Vision;
use super::writer::{GeneratedText, Writer};
use crate::batch;
use crate::error::ModelError;
use crate::image_processor::ImageProcessor;
use crate::layers::Embedding;
use crate::scope::Scope;
use crate::source::Source;
use crate::weights::Weights;

/// `BlipForQuestionAnswering`: answers a question about a picture.
///
/// The question is read with an eye on the picture, and the answer is written from what was read. Of a question that stands beside longer ones
/// the padding is not looked at; in the reference it is, so that there an answer depends on the batch.
pub struct BlipAnswerer {
    vision: Vision,
    reader: Text,
    writer: Writer,
    padding: u32,
}

impl BlipAnswerer {
    /// Loads a model with its weights in `dtype` (f32, f16, bf16) on `device`.
    pub fn load(source: &Source, dtype: DType, device: &Device) -> Result<Self, ModelError> {
        precision(dtype)?;
        let Config { vision, text } = Config::load(source, Purpose::Answers)?;
        let weights = Weights::of(source)?;
        let root = Scope::root(&weights, dtype, device);
        let reader = root.at("text_encoder");
        let words = Embedding::load(&reader.at("embeddings.word_embeddings"), text.vocabulary, text.shape.width)?;
        Ok(Self {
            vision: Vision::load(source, &root.at("vision_model"), &vision)?,
            reader: Text::load(&reader, words, &text, vision.shape.width)?,
            writer: Writer::load(source, &root, &text, vision.shape.width)?,
            padding: text.padding,
        })
    }

    /// What prepares pictures for it.
    pub fn processor(&self) -> &ImageProcessor {
        &self.vision.processor
    }

    /// An answer for each picture with its question, or what is wrong with them, in order: what they would get alone.
    ///
    /// # Errors
    /// When an option cannot be used, or the device fails.
    pub fn answer(
        &self,
        asked: &[(EncodeInput, &str)],
        options: &GenerateOptions,
    ) -> Result<Vec<Result<GeneratedText, String>>, BlipError> {
        self.writer.check(options)?;
        let mut answers = Vec::with_capacity(asked.len());
        let prepare = |(picture, question): &(EncodeInput, &str)| {
            let tokens = self.writer.words.question(question).map_err(|reason| format!("the question: {reason}"))?;
            Ok((self.processor().prepare(picture)?, tokens))
        };
        for some in asked.chunks(options.pictures_at_once) {
            answers.extend(batch::each(some, prepare, |prepared| {
                let (pixels, questions): (Vec<_>, Vec<_>) = prepared.into_iter().unzip();
                self.write(&self.features(&self.processor().stack(&pixels)?)?, questions, options)
            })?);
        }
        Ok(answers)
    }

    /// What the picture tower makes of prepared pictures. `pixels`: pictures x 3 x side x side; gives pictures x tokens x width.
    pub fn features(&self, pixels: &Tensor) -> candle_core::Result<Tensor> {
        self.vision.forward(pixels)
    }

    /// The answers to a question about each picture by their [`Self::features`], all at once.
    ///
    /// # Errors
    /// As [`Self::answer`], and when a question cannot be read or there are not as many as pictures.
    pub fn reply(
        &self,
        features: &Tensor,
        questions: &[&str],
        options: &GenerateOptions,
    ) -> Result<Vec<GeneratedText>, BlipError> {
        let pictures = features.dim(0)?;
        if questions.len() != pictures {
            return Err(BlipError::Count { questions: questions.len(), pictures });
        }
        let mut tokens = Vec::with_capacity(pictures);
        for (index, question) in questions.iter().enumerate() {
            tokens.push(self.writer.words.question(question).map_err(|reason| BlipError::Question { index, reason })?);
        }
        self.write(features, tokens, options)
    }

    fn write(
        &self,
        features: &Tensor,
        mut questions: Vec<Vec<u32>>,
        options: &GenerateOptions,
    ) -> Result<Vec<GeneratedText>, BlipError> {
        let lengths: Vec<usize> = questions.iter().map(Vec::len).collect();
        let longest = lengths.iter().copied().max().unwrap_or(0);
        for question in &mut questions {
            question.resize(longest, self.padding);
        }
        let hidden = beyond(&lengths, features.dtype(), features.device())?;
        let seen = self.reader.see(features, None)?;
        let states = self.reader.read(&questions, hidden.as_ref(), &seen)?;
        self.writer.write(&states, hidden, None, options)
    }
}
