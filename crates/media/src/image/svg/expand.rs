//! How large an SVG becomes when its references are followed.

use std::collections::HashMap;

use resvg::usvg::roxmltree::{Document, Node};

use super::corrupt;
use super::styles::{Styles, references};
use crate::error::{Measure, MediaError};
use crate::limits::Limits;

/// How deep elements may nest, references followed.
const MOST_LEVELS: usize = 400;

/// Rules of the style sheets times elements: how many matches the renderer tries.
const MOST_MATCHES: usize = 50_000_000;

/// Laying out a text takes time by the square of its length: so many characters count as one more each.
const CHARS_PER_CHAR: u64 = 1000;

/// Corners of a path that take as long as one element.
const POINTS_PER_NODE: u64 = 8;

/// Refuses a document that has more than `max_svg_nodes` elements once references are followed, or refers to itself.
pub(super) fn check(document: &Document<'_>, limits: &Limits) -> Result<(), MediaError> {
    let sheets = document.descendants().filter(|node| node.tag_name().name() == "style");
    let styles = Styles::read(sheets.flat_map(|sheet| sheet.children()).filter_map(|text| text.text()));
    let elements = document.descendants().filter(Node::is_element).count();
    if styles.rules.saturating_mul(elements) > MOST_MATCHES {
        let found = format!("an SVG with {} style rules for {elements} elements", styles.rules);
        return Err(MediaError::unsupported(found, "use fewer rules or attributes in their place"));
    }
    let mut ids = HashMap::new();
    for node in document.descendants() {
        if let Some(id) = node.attribute("id") {
            ids.entry(id).or_insert(node);
        }
    }
    let mut expansion = Expansion { ids, styles, limits, known: HashMap::new() };
    expansion.visit(document.root_element(), 0)?;
    Ok(())
}

/// What an element comes to, with everything inside it and everything that it refers to.
#[derive(Debug, Clone, Copy, Default)]
struct Size {
    /// Elements, characters of text, and a share of the corners.
    nodes: u64,
    /// Corners of paths, each of which may carry a marker.
    points: u64,
}

impl Size {
    fn add(&mut self, other: Self, times: u64) {
        self.nodes = self.nodes.saturating_add(other.nodes.saturating_mul(times));
        self.points = self.points.saturating_add(other.points.saturating_mul(times));
    }
}

struct Expansion<'a, 'i> {
    ids: HashMap<&'a str, Node<'a, 'i>>,
    styles: Styles<'a>,
    limits: &'a Limits,
    /// By the number of the node; `None` while it is being visited.
    known: HashMap<usize, Option<Size>>,
}

impl<'a, 'i> Expansion<'a, 'i> {
    fn visit(&mut self, node: Node<'a, 'i>, level: usize) -> Result<Size, MediaError> {
        let key = node.id().get_usize();
        match self.known.get(&key) {
            Some(Some(size)) => return Ok(*size),
            Some(None) => return Err(corrupt("an element refers to itself")),
            None => {}
        }
        if level > MOST_LEVELS {
            return Err(corrupt(format!("its elements nest deeper than {MOST_LEVELS} levels")));
        }
        self.known.insert(key, None);
        let size = self.size(node, level)?;
        self.limits.check(Measure::SvgNodes, size.nodes)?;
        self.known.insert(key, Some(size));
        Ok(size)
    }

    fn size(&mut self, node: Node<'a, 'i>, level: usize) -> Result<Size, MediaError> {
        let points = own_points(&node);
        let mut size = Size { nodes: 1 + points / POINTS_PER_NODE, points };
        for child in node.children() {
            if child.is_element() {
                size.add(self.visit(child, level + 1)?, 1);
            } else if child.is_text() && !is_silent(&node) {
                size.nodes += child.text().unwrap_or_default().trim().len() as u64;
            }
        }
        if let Some(target) = self.template(&node) {
            size.add(self.visit(target, level + 1)?, 1);
        }
        // Fill and markers are inherited, so that each shape inside may use them.
        let inside = size;
        if node.tag_name().name() == "text" {
            let texts = node.descendants().filter(Node::is_text).filter_map(|text| text.text());
            let chars = texts.map(|text| text.len() as u64).sum::<u64>();
            size.nodes = size.nodes.saturating_add(chars.saturating_mul(chars) / CHARS_PER_CHAR);
        }
        for target in self.targets(&node) {
            let times = match target.tag_name().name() {
                "pattern" => inside.nodes,
                "marker" => inside.points,
                "clipPath" | "mask" | "filter" => 1,
                _ => continue,
            };
            if times > 0 {
                size.add(self.visit(target, level + 1)?, times);
            }
        }
        Ok(size)
    }

    /// The element that this one is drawn from.
    fn template(&self, node: &Node<'a, 'i>) -> Option<Node<'a, 'i>> {
        if !matches!(node.tag_name().name(), "use" | "pattern" | "feImage" | "filter" | "mask" | "clipPath") {
            return None;
        }
        let href = node.attributes().find(|attribute| attribute.name() == "href")?;
        self.ids.get(href.value().trim().strip_prefix('#')?).copied()
    }

    fn targets(&self, node: &Node<'a, 'i>) -> Vec<Node<'a, 'i>> {
        let in_attributes = node.attributes().flat_map(|attribute| references(attribute.value()));
        let mut ids: Vec<&str> = in_attributes.chain(self.styles.references_of(node)).collect();
        ids.sort_unstable();
        ids.dedup();
        ids.into_iter().filter_map(|id| self.ids.get(id).copied()).collect()
    }
}

/// Corners of the element's own path, at most: each number may be one.
fn own_points(node: &Node<'_, '_>) -> u64 {
    let numbers = |attribute: &str| {
        let text = node.attribute(attribute).unwrap_or_default();
        let mut in_number = false;
        let mut count = 0;
        for byte in text.bytes() {
            let digit = byte.is_ascii_digit();
            count += u64::from(digit && !in_number);
            in_number = digit;
        }
        count
    };
    match node.tag_name().name() {
        "path" => numbers("d"),
        "polyline" | "polygon" => numbers("points"),
        "line" => 2,
        _ => 0,
    }
}

/// Elements whose text is not drawn.
fn is_silent(node: &Node<'_, '_>) -> bool {
    matches!(node.tag_name().name(), "style" | "script" | "title" | "desc" | "metadata")
}
