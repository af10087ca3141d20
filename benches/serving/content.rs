//! Texts, pictures and sounds that nobody has seen before, the same in every run.

use std::f32::consts::TAU;
use std::fmt::Write;

use sensorium_media::{Picture, Sound, to_wav};

const ADJECTIVES: &str = "red blue green yellow white black grey brown golden silver small large old new broken wooden \
    heavy light quiet loud bright dark wet dry warm cold round square tall narrow";
const THINGS: &str = "bicycle lamp kettle guitar violin trumpet drum piano boat bridge tower house door window garden tree \
    river mountain cloud star horse cat dog bird fish snail apple lemon bread cake cup plate knife spoon table chair clock \
    mirror candle ladder hammer rope wheel engine train tram lorry ship anchor map letter book pencil camera radio phone \
    keyboard screen cable battery coin key lock basket bottle umbrella coat shoe hat scarf button needle";
const DEEDS: &str = "leans on|stands beside|lies under|hangs above|turns towards|rolls past|falls from|waits for|belongs to|\
    is painted like|sounds like|covers|follows|carries|reflects|replaces";
const PLACES: &str = "the harbour|the market|the station|the workshop|the kitchen|the attic|the school|the museum|the forest|\
    the beach|the roof|the cellar|the old bridge|the railway yard|the concert hall|the garden wall|the north tower|\
    the ferry|the village square|the lighthouse|the orchard|the canal|the laboratory|the archive";
const ENDINGS: &str = "at dawn|in the rain|after the storm|before winter|every morning|on a Sunday|without a sound|\
    in a photograph|in the evening light|during the festival|when nobody looks|for the first time|as the manual says|\
    according to the report|since the repair|with great care";
const SYLLABLES: &str = "ka mo ru te xi lo na si pe du vi ga ho be ny fa co wu ze ti";

/// Numbers that look random and are the same in every run.
pub struct Random(u64);

impl Random {
    /// A sequence of its own for each `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0xd134_2543_de82_ef95).wrapping_add(1))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 up to but not including 1.
    pub fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u64 << 24) as f32
    }

    /// From 0 up to but not including `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    fn pick<'a>(&mut self, list: &'a str, separator: &str) -> &'a str {
        let words: Vec<&str> = list.split(separator).map(str::trim).filter(|word| !word.is_empty()).collect();
        words[self.below(words.len())]
    }
}

/// A sentence of about twelve words.
pub fn sentence(random: &mut Random) -> String {
    let (first, second) = (random.pick(ADJECTIVES, " "), random.pick(ADJECTIVES, " "));
    let (thing, other) = (random.pick(THINGS, " "), random.pick(THINGS, " "));
    let (deed, place, ending) = (random.pick(DEEDS, "|"), random.pick(PLACES, "|"), random.pick(ENDINGS, "|"));
    format!("The {first} {thing} {deed} a {second} {other} near {place} {ending}.")
}

/// A made-up word; a few are common and most are rare, as in any language.
fn name(random: &mut Random) -> String {
    let syllables: Vec<&str> = SYLLABLES.split(' ').collect();
    let mut rank = (random.unit() * 10.0).exp() as usize; // to 22,000, each rank as likely as one over it
    let mut word = String::new();
    loop {
        word.push_str(syllables[rank % syllables.len()]);
        rank /= syllables.len();
        if rank == 0 {
            return word;
        }
    }
}

/// A text of so many sentences, every third with a name in it.
pub fn text(random: &mut Random, sentences: usize) -> String {
    let mut text = String::new();
    for number in 0..sentences {
        text.push_str(&sentence(random));
        text.push(' ');
        if number % 3 == 0 {
            write!(text, "Ask {} about it. ", name(random)).expect("memory");
        }
    }
    text
}

/// What somebody types: 2 to 13 words, another with every number.
pub fn query(number: u64) -> String {
    let mut random = Random::new(number ^ 0x5eed_0000);
    let full = sentence(&mut random);
    let words: Vec<&str> = full.trim_end_matches('.').split(' ').skip(1).collect();
    let length = 2 + random.below(words.len() - 2);
    let mut query = words[..length].join(" ");
    if random.below(4) == 0 {
        write!(query, " {}", name(&mut random)).expect("memory");
    }
    query
}

/// A picture of 64 to 512 pixels a side: PNG and SVG by turns.
pub fn picture(random: &mut Random) -> Vec<u8> {
    let (width, height) = (64 + random.below(449), 64 + random.below(449));
    if random.below(2) == 0 { svg(random, width, height) } else { png(random, width, height) }
}

fn svg(random: &mut Random, width: usize, height: usize) -> Vec<u8> {
    let mut svg = format!("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\">");
    for _ in 0..12 {
        let (x, y, size) = (random.below(width), random.below(height), 8 + random.below(width / 2));
        let colour = random.below(0x100_0000);
        if random.below(2) == 0 {
            write!(svg, "<circle cx=\"{x}\" cy=\"{y}\" r=\"{size}\" fill=\"#{colour:06x}\"/>").expect("memory");
        } else {
            write!(svg, "<path d=\"M{x} {y}h{size}l-9 {size}z\" stroke=\"#{colour:06x}\" fill=\"none\"/>")
                .expect("memory");
        }
    }
    svg.push_str("</svg>");
    svg.into_bytes()
}

/// Discs on nothing.
fn png(random: &mut Random, width: usize, height: usize) -> Vec<u8> {
    let mut rgba = vec![0u8; width * height * 4];
    for _ in 0..8 {
        let (x, y, radius) = (random.below(width), random.below(height), 6 + random.below(width / 3));
        let colour = [random.below(256) as u8, random.below(256) as u8, random.below(256) as u8, 255];
        for (number, pixel) in rgba.as_chunks_mut::<4>().0.iter_mut().enumerate() {
            let (across, down) = ((number % width).abs_diff(x), (number / width).abs_diff(y));
            if across * across + down * down < radius * radius {
                *pixel = colour;
            }
        }
    }
    rgba[3] = 0; // with transparency it is written as PNG
    let picture = Picture { width_px: width as u32, height_px: height as u32, rgba };
    picture.thumbnail(width.max(height) as u32).expect("a picture").bytes
}

/// Four seconds of a tone with overtones that dies away, at 44.1 kHz, as WAV.
pub fn sound(random: &mut Random) -> Vec<u8> {
    const RATE_HZ: u32 = 44_100;
    let (pitch, decay, bite) = (80.0 + 900.0 * random.unit(), 0.3 + 3.0 * random.unit(), random.unit());
    let samples = (0..RATE_HZ * 4).map(|number| {
        let time = number as f32 / RATE_HZ as f32;
        let tones = (1u8..6).map(|tone| (TAU * pitch * f32::from(tone) * time).sin() * bite.powi(i32::from(tone)));
        let noise = 0.02 * (random.unit() - 0.5);
        0.2 * (-decay * time).exp() * tones.sum::<f32>() + noise
    });
    to_wav(&Sound { sample_rate_hz: RATE_HZ, samples: samples.collect(), channels_in_file: 1 })
}
