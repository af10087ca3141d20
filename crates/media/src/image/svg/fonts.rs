//! The fonts of the machine, read once.

use std::sync::{Arc, OnceLock};

use resvg::usvg::fontdb::{Database, Family, Query};

struct Fonts {
    database: Arc<Database>,
    default_family: String,
}

fn fonts() -> &'static Fonts {
    static FONTS: OnceLock<Fonts> = OnceLock::new();
    FONTS.get_or_init(|| {
        let mut database = Database::new();
        database.load_system_fonts();
        let default_family = default_among(&database);
        for set in [Database::set_serif_family, Database::set_sans_serif_family] {
            set(&mut database, default_family.clone());
        }
        Fonts { database: Arc::new(database), default_family }
    })
}

/// A family that exists here: one of the usual ones, else the first with upright letters.
fn default_among(database: &Database) -> String {
    const USUAL: [&str; 6] = ["DejaVu Sans", "Liberation Sans", "Noto Sans", "Arial", "Helvetica", "Times New Roman"];
    let exists = |name: &str| database.query(&Query { families: &[Family::Name(name)], ..Query::default() }).is_some();
    if let Some(name) = USUAL.into_iter().find(|name| exists(name)) {
        return name.to_owned();
    }
    let any = database.faces().find_map(|face| face.families.first());
    any.map_or_else(|| USUAL[0].to_owned(), |(name, _)| name.clone())
}

/// All fonts of the machine; none on a machine without, where SVG text is left out.
pub(super) fn database() -> Arc<Database> {
    Arc::clone(&fonts().database)
}

/// The family of text that names none.
pub(super) fn default_family() -> &'static str {
    &fonts().default_family
}
