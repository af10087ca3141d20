//! The structure of a text: blocks (paragraphs, list items, code, ...) under headings.

use std::ops::Range;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// A text without markup, and where each piece of it comes from.
pub(super) struct Outline {
    /// The words of all blocks one after another, each block ended by a line end.
    pub(super) plain: String,
    /// The blocks in order.
    pub(super) blocks: Vec<Block>,
    /// For stretches of `plain`, in order: where the stretch begins there, and where in the source.
    anchors: Vec<(usize, usize)>,
}

/// A paragraph, a list item, a line of a table, a code block or a heading.
pub(super) struct Block {
    /// Its words, as bytes of the plain text, with the white space up to the next block.
    pub(super) plain: Range<usize>,
    /// Where its markup begins, as a byte of the source.
    pub(super) source_start: usize,
    /// Whether it is a heading, and so begins a section.
    pub(super) is_heading: bool,
}

impl Outline {
    /// Blocks of a text without markup: paragraphs are parted by blank lines.
    pub(super) fn of_plain_text(text: &str) -> Self {
        let mut blocks: Vec<Block> = Vec::new();
        let mut after_blank = true;
        let mut at = 0;
        for line in text.split_inclusive('\n') {
            let end = at + line.len();
            let is_blank = line.trim().is_empty();
            if after_blank && !is_blank {
                blocks.push(Block { plain: at..end, source_start: at, is_heading: false });
            } else if let Some(block) = blocks.last_mut() {
                block.plain.end = end;
            }
            after_blank = is_blank;
            at = end;
        }
        Self { plain: text.to_owned(), blocks, anchors: vec![(0, 0)] }
    }

    /// Blocks of a Markdown text (CommonMark with tables, footnotes, task lists and strikethrough).
    pub(super) fn of_markdown(text: &str) -> Self {
        let options = Options::ENABLE_TABLES
            | Options::ENABLE_FOOTNOTES
            | Options::ENABLE_STRIKETHROUGH
            | Options::ENABLE_TASKLISTS
            | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS;
        let mut builder = Builder { text, ..Builder::default() };
        for (event, range) in Parser::new_ext(text, options).into_offset_iter() {
            builder.take(event, &range);
        }
        builder.close();
        Self { plain: builder.plain, blocks: builder.blocks, anchors: builder.anchors }
    }

    /// Where in the source the character at byte `plain` comes from.
    pub(super) fn source_of(&self, plain: usize) -> usize {
        let after = self.anchors.partition_point(|&(start, _)| start <= plain);
        match after.checked_sub(1).and_then(|index| self.anchors.get(index)) {
            Some(&(start, source)) => {
                let next_source = self.anchors.get(after).map_or(usize::MAX, |&(_, source)| source);
                (source + (plain - start)).min(next_source).max(source)
            }
            None => 0,
        }
    }
}

#[derive(Default)]
struct Builder<'a> {
    text: &'a str,
    plain: String,
    blocks: Vec<Block>,
    anchors: Vec<(usize, usize)>,
    open: Option<Block>,
    in_heading: bool,
}

impl Builder<'_> {
    fn take(&mut self, event: Event<'_>, range: &Range<usize>) {
        match event {
            Event::Start(Tag::Heading { .. }) => {
                self.close();
                self.in_heading = true;
                self.open(range.start);
            }
            Event::End(TagEnd::Heading(_)) => {
                self.close();
                self.in_heading = false;
            }
            Event::Start(
                Tag::Paragraph
                | Tag::Item
                | Tag::CodeBlock(_)
                | Tag::HtmlBlock
                | Tag::TableHead
                | Tag::TableRow
                | Tag::MetadataBlock(_)
                | Tag::FootnoteDefinition(_),
            ) => self.open(range.start),
            Event::End(
                TagEnd::Paragraph
                | TagEnd::Item
                | TagEnd::CodeBlock
                | TagEnd::HtmlBlock
                | TagEnd::TableHead
                | TagEnd::TableRow
                | TagEnd::MetadataBlock(_)
                | TagEnd::FootnoteDefinition,
            ) => self.close(),
            Event::End(TagEnd::TableCell) => self.write(" ", &(range.end..range.end)),
            Event::Text(words)
            | Event::Code(words)
            | Event::InlineMath(words)
            | Event::DisplayMath(words)
            | Event::Html(words)
            | Event::InlineHtml(words) => self.write(&words, range),
            Event::SoftBreak | Event::HardBreak => self.write("\n", range),
            _ => {}
        }
    }

    /// Begins a block. One that is open and has no words yet (a list item around a paragraph) is that block already.
    fn open(&mut self, source_start: usize) {
        if self.open.as_ref().is_some_and(|block| block.plain.start == self.plain.len()) {
            return;
        }
        self.close();
        let at = self.plain.len();
        self.open = Some(Block { plain: at..at, source_start, is_heading: self.in_heading });
    }

    fn close(&mut self) {
        let Some(mut block) = self.open.take() else {
            return;
        };
        if self.plain[block.plain.start..].trim().is_empty() {
            // Nothing to read in it; what markup it has belongs to the block before.
            self.plain.truncate(block.plain.start);
            self.anchors.truncate(self.anchors.partition_point(|&(start, _)| start < block.plain.start));
            return;
        }
        self.plain.push('\n');
        block.plain.end = self.plain.len();
        self.blocks.push(block);
    }

    /// Adds words that come from `range`, which may hold marks around them (the quotes of code).
    fn write(&mut self, words: &str, range: &Range<usize>) {
        if self.open.is_none() {
            self.open(range.start);
        }
        let marks = self.text.get(range.clone()).and_then(|source| source.find(words)).unwrap_or(0);
        self.anchors.push((self.plain.len(), range.start + marks));
        self.plain.push_str(words);
    }
}
