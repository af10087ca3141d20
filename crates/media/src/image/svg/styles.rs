//! Which elements a style sheet may give references to.

use resvg::usvg::roxmltree::Node;

/// The rules of an SVG's style sheets that refer to other elements.
pub(super) struct Styles<'a> {
    /// All rules, those without references included.
    pub(super) rules: usize,
    referring: Vec<(Selector<'a>, Vec<&'a str>)>,
}

/// The last part of a selector, which the element itself must match. What stands before it, and conditions other than
/// name, id and class, are taken as fulfilled: too many matches only raise an estimate.
struct Selector<'a> {
    name: Option<&'a str>,
    id: Option<&'a str>,
    classes: Vec<&'a str>,
}

impl<'a> Styles<'a> {
    pub(super) fn read(sheets: impl Iterator<Item = &'a str>) -> Self {
        let mut styles = Self { rules: 0, referring: Vec::new() };
        for block in sheets.flat_map(|sheet| sheet.split('}')) {
            let Some((selectors, declarations)) = block.rsplit_once('{') else {
                continue;
            };
            let ids: Vec<&str> = references(declarations).collect();
            // Inside `@media`, the selectors stand after its own brace.
            let selectors = selectors.rsplit(['{', '/']).next().unwrap_or(selectors);
            for selector in selectors.split(',') {
                styles.rules += 1;
                if !ids.is_empty() {
                    styles.referring.push((Selector::read(selector), ids.clone()));
                }
            }
        }
        styles
    }

    /// The ids that rules which may match `node` refer to.
    pub(super) fn references_of<'s>(&'s self, node: &Node<'_, '_>) -> impl Iterator<Item = &'a str> + 's {
        let name = node.tag_name().name().to_owned();
        let id = node.attribute("id").unwrap_or_default().to_owned();
        let classes = node.attribute("class").unwrap_or_default().to_owned();
        self.referring
            .iter()
            .filter(move |(selector, _)| {
                selector.name.is_none_or(|wanted| wanted == name)
                    && selector.id.is_none_or(|wanted| wanted == id)
                    && selector.classes.iter().all(|wanted| classes.split_whitespace().any(|class| class == *wanted))
            })
            .flat_map(|(_, ids)| ids.iter().copied())
    }
}

impl<'a> Selector<'a> {
    fn read(selector: &'a str) -> Self {
        let last = selector.trim().rsplit([' ', '\t', '\n', '\r', '>', '+', '~']).next().unwrap_or_default();
        let last = last.split([':', '[']).next().unwrap_or_default();
        let name_end = last.find(['.', '#']).unwrap_or(last.len());
        let name = Some(&last[..name_end]).filter(|name| !name.is_empty() && *name != "*");
        let mut selector = Self { name, id: None, classes: Vec::new() };
        let mut rest = &last[name_end..];
        while let Some(mark) = rest.chars().next() {
            let end = rest[1..].find(['.', '#']).map_or(rest.len(), |end| end + 1);
            match mark {
                '.' => selector.classes.push(&rest[1..end]),
                _ => selector.id = Some(&rest[1..end]),
            }
            rest = &rest[end..];
        }
        selector
    }
}

/// The ids in `url(#id)`, quoted or not.
pub(super) fn references(text: &str) -> impl Iterator<Item = &str> {
    text.split("url(").skip(1).filter_map(|rest| {
        let target = rest.split(')').next()?;
        target.trim().trim_matches(['"', '\'']).trim().strip_prefix('#')
    })
}
