//! The page, embedded in the program. Its files are plain ES modules on the public API.

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        /// A file of the page and its media type.
        pub fn file(name: &str) -> Option<(&'static [u8], &'static str)> {
            match name {
                $($name => Some((include_bytes!($name).as_slice(), media_type($name))),)*
                _ => None,
            }
        }
    };
}

files!(
    "add.js",
    "api.js",
    "app.js",
    "collections.js",
    "documents.js",
    "dom.js",
    "hits.js",
    "icon.svg",
    "index.html",
    "jobs.js",
    "media.js",
    "problem.js",
    "search.js",
    "server.js",
    "style.css",
);

fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}
