//! Bars on stderr while files arrive.

use indicatif::ProgressBar;
use sensorium_sources::Event;

use super::super::client::add::bar;

/// The bar of the file that is being worked on; indicatif hides it when stderr is no terminal.
pub struct Bars {
    model: String,
    bar: Option<ProgressBar>,
}

impl Bars {
    /// For the files of a model.
    pub fn new(model: &str) -> Self {
        Self { model: model.to_owned(), bar: None }
    }

    /// Shows what happened.
    pub fn told(&mut self, event: Event) {
        match event {
            Event::File { path, bytes, have } => {
                let bar = bar(bytes, "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}");
                bar.set_message(format!("{} {path}", self.model));
                bar.set_position(have);
                // What was here before says nothing about the speed.
                bar.reset_eta();
                self.bar = Some(bar);
            }
            Event::Checking { path } => {
                let bar = bar(0, "{msg} {spinner}");
                bar.set_message(format!("{} {path}: checking", self.model));
                bar.tick();
                self.bar = Some(bar);
            }
            Event::Arrived(bytes) => self.bar.iter().for_each(|bar| bar.set_position(bytes)),
            Event::Done => self.bar.take().into_iter().for_each(|bar| bar.finish_and_clear()),
        }
    }
}
