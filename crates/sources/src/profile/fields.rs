//! Reads a table strictly: every fault is noted with its place, and reading goes on.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::str::FromStr;

use toml::{Table, Value};

/// The faults of a file.
pub type Faults = RefCell<Vec<String>>;

/// A table of the file.
pub struct Fields<'a> {
    table: Table,
    at: String,
    known: Vec<&'static str>,
    faults: &'a Faults,
}

impl<'a> Fields<'a> {
    /// The table that stands at `at`, which is empty for the whole file.
    pub fn new(table: Table, at: &str, faults: &'a Faults) -> Self {
        Self { table, at: at.to_owned(), known: Vec::new(), faults }
    }

    /// Notes a fault of a field.
    pub fn fault(&self, key: &str, text: impl std::fmt::Display) {
        self.faults.borrow_mut().push(format!("{}: {text}", place(&self.at, key)));
    }

    /// Whether the field is there.
    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// A text.
    pub fn text(&mut self, key: &'static str) -> Option<String> {
        match self.value(key)? {
            Value::String(text) if !text.trim().is_empty() => Some(text),
            other => self.wrong(key, "a text that is not empty", &other),
        }
    }

    /// A text that is kept as it is, blanks and all.
    pub fn raw_text(&mut self, key: &'static str) -> Option<String> {
        match self.value(key)? {
            Value::String(text) => Some(text),
            other => self.wrong(key, "a text", &other),
        }
    }

    /// A text of a certain form.
    pub fn parsed<T: FromStr<Err: std::fmt::Display>>(&mut self, key: &'static str) -> Option<T> {
        let text = self.text(key)?;
        text.parse().map_err(|error: T::Err| self.fault(key, error)).ok()
    }

    /// A field that has to be there.
    pub fn required<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Self, &'static str) -> Option<T>,
    ) -> Option<T> {
        if !self.has(key) {
            self.known.push(key);
            self.fault(key, "is missing");
            return None;
        }
        read(self, key)
    }

    /// A whole number from 1 to `most`.
    pub fn number(&mut self, key: &'static str, most: i64) -> Option<usize> {
        match self.value(key)? {
            Value::Integer(number) if (1..=most).contains(&number) => Some(number as usize),
            other => self.wrong(key, &format!("a whole number from 1 to {most}"), &other),
        }
    }

    /// A table whose keys are fixed.
    pub fn table(&mut self, key: &'static str) -> Option<Fields<'a>> {
        match self.value(key)? {
            Value::Table(table) => Some(Fields::new(table, &place(&self.at, key), self.faults)),
            other => self.wrong(key, "a table", &other),
        }
    }

    /// The tables below a table whose keys are names.
    pub fn tables(&mut self, key: &'static str) -> Vec<(String, Fields<'a>)> {
        let at = place(&self.at, key);
        let mut tables = Vec::new();
        for (name, value) in self.entries(key) {
            match value {
                Value::Table(table) => tables.push((name.clone(), Fields::new(table, &place(&at, &name), self.faults))),
                other => self.fault(&format!("{key}.{name}"), format!("must be a table, not {other}")),
            }
        }
        tables
    }

    /// The texts below a table whose keys are names.
    pub fn texts(&mut self, key: &'static str) -> BTreeMap<String, String> {
        let mut texts = BTreeMap::new();
        for (name, value) in self.entries(key) {
            match value {
                Value::String(text) => {
                    texts.insert(name, text);
                }
                other => self.fault(&format!("{key}.{name}"), format!("must be a text, not {other}")),
            }
        }
        texts
    }

    /// Notes the fields that nobody has asked for.
    pub fn finish(self) {
        for key in self.table.keys() {
            let known = self.known.join(", ");
            self.fault(key, format!("no such field; there are {known}"));
        }
    }

    fn entries(&mut self, key: &'static str) -> Table {
        match self.value(key) {
            None => Table::new(),
            Some(Value::Table(table)) => table,
            Some(other) => self.wrong(key, "a table", &other).unwrap_or_default(),
        }
    }

    fn value(&mut self, key: &'static str) -> Option<Value> {
        self.known.push(key);
        self.table.remove(key)
    }

    fn wrong<T>(&self, key: &str, wanted: &str, found: &Value) -> Option<T> {
        self.fault(key, format!("must be {wanted}, not {found}"));
        None
    }
}

fn place(at: &str, key: &str) -> String {
    match (at, key) {
        ("", key) => key.to_owned(),
        (at, "") => at.to_owned(),
        (at, key) => format!("{at}.{key}"),
    }
}
