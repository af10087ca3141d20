//! How a repository on the hub, and a state of it, are named.

use std::fmt;
use std::str::FromStr;

/// A repository on the hub, such as `google/siglip2-base-patch32-256`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Repository(String);

/// A branch, a tag, a pull request (`refs/pr/2`) or a commit.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Revision(String);

/// A name that cannot be one on the hub.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is not {expected}")]
pub struct NameError {
    text: String,
    expected: &'static str,
}

fn refused(text: &str, expected: &'static str) -> NameError {
    NameError { text: text.chars().take(80).collect(), expected }
}

/// Letters, digits, '.', '_' and '-', beginning with a letter, a digit or '_'. No such name can leave its folder.
fn is_step(text: &str) -> bool {
    (1..=96).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
        && !text.contains("..")
}

impl Repository {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its folder in the shared cache.
    pub(crate) fn folder_name(&self) -> String {
        format!("models--{}", self.0.replace('/', "--"))
    }
}

impl FromStr for Repository {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let good = text.split('/').all(is_step) && (1..=2).contains(&text.split('/').count()) && !text.contains("--");
        if good { Ok(Self(text.to_owned())) } else { Err(refused(text, "a repository of the hub, such as owner/name")) }
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Default for Revision {
    fn default() -> Self {
        Self("main".to_owned())
    }
}

impl Revision {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it names a commit, which never changes.
    pub fn is_commit(&self) -> bool {
        is_commit(&self.0)
    }
}

impl FromStr for Revision {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.len() <= 200 && text.split('/').all(is_step) {
            Ok(Self(text.to_owned()))
        } else {
            Err(refused(text, "a branch, a tag, refs/pr/NUMBER or a commit"))
        }
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether this is the whole name of a commit.
pub(crate) fn is_commit(text: &str) -> bool {
    is_hex(text, 40)
}

/// Whether this is a number of `digits` hexadecimal digits in lower case.
pub(crate) fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_leave_the_cache_are_refused() {
        for good in ["gpt2", "openai/clip-vit-base-patch32", "a/b_c.d-e"] {
            assert_eq!(good.parse::<Repository>().map(|name| name.to_string()).as_deref(), Ok(good));
        }
        for bad in ["", "/", "a/", "/a", "a/b/c", "../x", "a/..", "a\\b", "a b", "a/.b", "-a/b", "a--b/c", "é/x"] {
            assert!(bad.parse::<Repository>().is_err(), "{bad}");
        }
        for good in ["main", "refs/pr/15", "v1.0", &"a".repeat(40)] {
            assert!(good.parse::<Revision>().is_ok(), "{good}");
        }
        for bad in ["", "a//b", "../main", "a/../b", "-x", "a b", "/main"] {
            assert!(bad.parse::<Revision>().is_err(), "{bad}");
        }
    }
}
