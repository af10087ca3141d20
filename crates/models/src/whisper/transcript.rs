//! What was said, and when.

/// What was said in a sound.
#[derive(Debug, Clone, PartialEq)]
pub struct Transcript {
    /// The code of the language that was spoken, such as `de`.
    pub language: String,
    /// All segments' text in one.
    pub text: String,
    /// In the order of time. Windows without speech and segments without text are not among them.
    pub segments: Vec<Segment>,
}

/// A stretch of speech.
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    /// From the start of the sound.
    pub start_ms: u64,
    /// From the start of the sound.
    pub end_ms: u64,
    /// Without space around it.
    pub text: String,
    /// With timestamps, as the model said them.
    pub tokens: Vec<u32>,
    /// The temperature at which its window was decoded.
    pub temperature: f32,
    /// The mean natural logarithm of the probabilities of its window's tokens.
    pub avg_logprob: f32,
    /// By how much zlib shrinks its window's text.
    pub compression_ratio: f32,
    /// The probability that there is no speech in its window.
    pub no_speech_prob: f32,
    /// Empty where they were not asked for.
    pub words: Vec<Word>,
}

/// A word with its punctuation.
#[derive(Debug, Clone, PartialEq)]
pub struct Word {
    /// From the start of the sound.
    pub start_ms: u64,
    /// From the start of the sound.
    pub end_ms: u64,
    /// With the space before it, where the language has one.
    pub text: String,
    /// The mean probability of its tokens.
    pub probability: f32,
}

/// How far a transcription is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Of all sounds together.
    pub done_ms: u64,
    /// Of all sounds together.
    pub total_ms: u64,
}
