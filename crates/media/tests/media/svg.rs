//! Drawings, and the ways in which they could ask for endless work.

use std::fmt::Write as _;
use std::time::Instant;

use sensorium_media::{Limits, MediaError, MediaType, Picture, decode_image};

use crate::support::SVG;

fn draw(svg: &str) -> Result<Picture, MediaError> {
    decode_image(svg.as_bytes(), MediaType::Svg, &Limits::default())
}

fn within_svg(content: &str) -> String {
    format!(
        "<svg xmlns='http://www.w3.org/2000/svg' xmlns:xlink='http://www.w3.org/1999/xlink' width='600' height='600'>{content}</svg>"
    )
}

fn pixel(picture: &Picture, x: u32, y: u32) -> [u8; 4] {
    let at = (y * picture.width_px + x) as usize * 4;
    picture.rgba[at..at + 4].try_into().expect("four channels")
}

/// The code of the refusal, which must come in seconds.
fn refusal(content: &str) -> &'static str {
    let begun = Instant::now();
    let outcome = draw(&within_svg(content));
    let seconds = begun.elapsed().as_secs();
    assert!(seconds < 20, "it took {seconds} s");
    outcome.map_or_else(|error| error.code(), |_| "drawn")
}

#[test]
fn drawings_are_scaled_to_a_sensible_size() {
    let picture = draw(SVG).expect("a drawing");
    assert_eq!((picture.width_px, picture.height_px), (512, 256));
    assert_eq!(pixel(&picture, 20, 20), [255, 0, 0, 255]);
    assert_eq!(pixel(&picture, 500, 4)[3], 0);
    let large = draw(
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 9000 3000'><rect width='9000' height='3000'/></svg>",
    );
    let large = large.expect("a drawing");
    assert_eq!((large.width_px, large.height_px), (1024, 341));
    assert_eq!(pixel(&large, 500, 170), [0, 0, 0, 255]);
}

#[test]
fn ordinary_features_are_drawn() {
    let content = "<defs>
        <filter id='blur'><feGaussianBlur stdDeviation='4'/></filter>
        <mask id='m'><rect width='600' height='600' fill='white'/></mask>
        <clipPath id='c'><circle cx='300' cy='300' r='280'/></clipPath>
        <pattern id='p' width='20' height='20' patternUnits='userSpaceOnUse'><circle cx='10' cy='10' r='8' fill='blue'/></pattern>
        <marker id='arrow' markerWidth='6' markerHeight='6' orient='auto'><path d='M0 0 L6 3 L0 6 z'/></marker>
        <symbol id='s' viewBox='0 0 10 10'><rect width='10' height='10'/></symbol>
        <style>.shadow { filter: url(#blur); } path.line { marker-end: url(\"#arrow\"); stroke: black }</style>
      </defs>
      <g clip-path='url(#c)' mask='url(#m)'><rect width='600' height='600' fill='url(#p)'/></g>
      <rect class='shadow' x='100' y='100' width='300' height='300' fill='lime'/>
      <path class='line' d='M10 10 L 200 300'/>
      <use xlink:href='#s' x='500' y='500' width='50' height='50'/>";
    let picture = draw(&within_svg(content)).expect("a drawing");
    assert_eq!(pixel(&picture, 250, 250), [0, 255, 0, 255]);
    assert_eq!(pixel(&picture, 525, 525), [0, 0, 0, 255]);
}

#[test]
fn pictures_inside_are_drawn_and_files_outside_are_not() {
    // A red PNG of one pixel.
    let red = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC";
    let picture =
        draw(&within_svg(&format!("<image width='600' height='600' xlink:href='{red}'/>"))).expect("a drawing");
    assert_eq!(pixel(&picture, 300, 300), [255, 0, 0, 255]);

    let path = std::env::temp_dir().join(format!("sensorium-media-{}.png", std::process::id()));
    let file = image::DynamicImage::new_rgb8(4, 4);
    file.save(&path).expect("a file");
    let outside = draw(&within_svg(&format!("<image width='600' height='600' xlink:href='{}'/>", path.display())));
    std::fs::remove_file(&path).expect("the file goes");
    assert_eq!(pixel(&outside.expect("a drawing"), 300, 300)[3], 0);
}

#[test]
fn broken_drawings_are_refused() {
    assert_eq!(draw("<svg").expect_err("cut").code(), "file_truncated");
    assert_eq!(draw(&SVG[..SVG.len() - 20]).expect_err("cut").code(), "file_truncated");
    assert_eq!(draw("<svg><g></svg>").expect_err("crossed").code(), "file_corrupt");
    assert_eq!(
        draw("<svg xmlns='http://www.w3.org/2000/svg' width='0' height='5'/>").expect_err("flat").code(),
        "file_corrupt"
    );
    assert_eq!(draw("<p xmlns='http://www.w3.org/2000/svg'/>").expect_err("another root").code(), "file_corrupt");
}

#[test]
fn elements_cannot_multiply() {
    let mut uses = String::from("<defs><g id='l0'><rect width='9' height='9'/></g>");
    for level in 1..12 {
        let _ = write!(uses, "<g id='l{level}'>{}</g>", format!("<use xlink:href='#l{}'/>", level - 1).repeat(10));
    }
    uses.push_str("</defs><use xlink:href='#l11'/>");
    assert_eq!(refusal(&uses), "image_too_complex");

    for (element, property) in [("mask", "mask"), ("clipPath", "clip-path"), ("pattern", "fill")] {
        let mut nested = format!("<{element} id='n0' width='99' height='99'><rect width='9' height='9'/></{element}>");
        for level in 1..12 {
            let shape = format!("<rect width='9' height='9' {property}='url(#n{})'/>", level - 1);
            let _ = write!(nested, "<{element} id='n{level}' width='99' height='99'>{}</{element}>", shape.repeat(10));
        }
        let _ = write!(nested, "<rect width='600' height='600' {property}='url(#n11)'/>");
        assert_eq!(refusal(&nested), "image_too_complex", "{element}");
        let by_class = nested.replace(&format!("{property}='url(#n"), "class='n").replace(")'", "'");
        let mut sheet = String::from("<style>");
        for level in 0..12 {
            let _ = write!(sheet, ".n{level} {{ {property}: url(#n{level}) }}");
        }
        assert_eq!(refusal(&format!("{sheet}</style>{by_class}")), "image_too_complex", "{element} by class");
    }

    let points = "1 2 ".repeat(20_000);
    let marker = format!("<marker id='m'>{}</marker>", "<rect width='1' height='1'/>".repeat(100));
    assert_eq!(
        refusal(&format!("{marker}<g marker-mid='url(#m)'><polyline points='{points}'/></g>")),
        "image_too_complex"
    );
}

#[test]
fn references_cannot_go_round() {
    assert_eq!(refusal("<g id='a'><use xlink:href='#a'/></g>"), "file_corrupt");
    assert_eq!(
        refusal("<mask id='a'><g mask='url(#b)'/></mask><mask id='b'><g mask='url(#a)'/></mask><g mask='url(#a)'/>"),
        "file_corrupt"
    );
    let deep = format!("{}{}", "<g>".repeat(50_000), "</g>".repeat(50_000));
    assert_eq!(refusal(&deep), "file_corrupt");
}

#[test]
fn pixels_cannot_multiply() {
    let flood = "<rect width='600' height='600' opacity='.5'/>".repeat(50_000);
    assert_eq!(refusal(&flood), "image_too_complex");
    let filters = |steps: &str| {
        format!(
            "<filter id='f' x='-10' y='-10' width='50' height='50'>{steps}</filter><rect width='600' height='600' filter='url(#f)'/>"
        )
    };
    assert_eq!(refusal(&filters("<feMorphology operator='dilate' radius='400'/>")), "image_too_complex");
    assert_eq!(refusal(&filters("<feTurbulence numOctaves='4000000000' baseFrequency='.1'/>")), "image_too_complex");
    assert_eq!(refusal(&filters(&"<feGaussianBlur stdDeviation='30'/>".repeat(100))), "media_type_unsupported");
    let huge = "<pattern id='p' width='400000' height='400000' patternUnits='userSpaceOnUse'><rect width='9' height='9'/></pattern><rect width='600' height='600' fill='url(#p)'/>";
    assert_eq!(refusal(huge), "media_type_unsupported");
    let layers = format!("{}<rect width='600' height='600'/>{}", "<g opacity='.9'>".repeat(300), "</g>".repeat(300));
    assert_eq!(refusal(&layers), "media_type_unsupported");
    let dashes = "<path d='M0 0 L600 600' stroke='red' stroke-dasharray='.001 .001'/>".repeat(500);
    assert_eq!(refusal(&dashes), "image_too_complex");
    let zigzag = "0 0 600 599 1 599 ".repeat(60_000);
    assert_eq!(refusal(&format!("<polygon points='{zigzag}'/>")), "image_too_complex");
}

#[test]
fn sources_cannot_be_made_to_stall_the_parser() {
    let mut attributes = String::new();
    for number in 0..200_000 {
        let _ = write!(attributes, " a{number}='1'");
    }
    assert_eq!(refusal(&format!("<g{attributes}/>")), "file_corrupt");
    let laughs = "<!DOCTYPE svg [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;&a;&a;'>]><svg xmlns='http://www.w3.org/2000/svg'><text>&b;</text></svg>";
    assert_eq!(draw(laughs).expect_err("entities of entities").code(), "file_corrupt");
    let long = format!(
        "<!DOCTYPE svg [<!ENTITY a '{}'>]><svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'><text>{}</text></svg>",
        "x".repeat(9000),
        "&a;".repeat(9000)
    );
    assert_eq!(draw(&long).expect_err("a long entity, often").code(), "file_corrupt");
    let plain = "<!DOCTYPE svg PUBLIC \"-//W3C//DTD SVG 1.1//EN\" \"http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd\" [<!ENTITY ns \"http://www.w3.org/2000/svg\">]><svg xmlns='&ns;' width='9' height='9'><rect width='9' height='9'/></svg>";
    assert_eq!(pixel(&draw(plain).expect("a drawing"), 100, 100), [0, 0, 0, 255]);
    let mut rules = String::from("<style>");
    for number in 0..30_000 {
        let _ = write!(rules, ".c{number}{{fill:red}}");
    }
    let _ = write!(rules, "</style>{}", "<g class='x'/>".repeat(30_000));
    assert_eq!(refusal(&rules), "media_type_unsupported");
    assert_ne!(refusal(&format!("<text>{}</text>", "long words ".repeat(9_000))), "file_corrupt");
}
