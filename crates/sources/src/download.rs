//! One file from the hub into the cache: resumed where it broke off, proven before it gets its name.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use crate::cache::Cached;
use crate::digest::content_id;
use crate::error::SourceError;
use crate::http::{About, Answer, Failure, Http, broken, protocol};
use crate::listing::RemoteFile;
use crate::retry::Tries;

/// What happens while files are fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// A file is begun, or taken up again after `have` bytes.
    File {
        /// Its name in the repository.
        path: &'a str,
        /// Its length.
        bytes: u64,
        /// What was here before.
        have: u64,
    },
    /// So many bytes of it have arrived in all.
    Arrived(u64),
    /// It is here and is the right one.
    Done,
    /// A file that was here before is read through.
    Checking {
        /// Its name in the repository.
        path: &'a str,
    },
}

/// Is told what happens.
pub type Progress<'a> = dyn FnMut(Event) + 'a;

/// Fetches `file` of `about.repository` at `commit`, unless its content is here already; a content that was spoilt is fetched
/// again. Two processes may do so at once.
pub(crate) fn fetch(
    http: &Http,
    cached: &Cached,
    commit: &str,
    file: &RemoteFile,
    about: About,
    progress: &mut Progress,
) -> Result<PathBuf, SourceError> {
    let id = file.id.as_str();
    let _lock = cached.lock(id)?;
    let blob = cached.blob(id);
    let mut here = blob.exists();
    if here {
        progress(Event::Checking { path: &file.path });
        here = content_id(&blob, &file.id)? == id;
        progress(Event::Done);
    }
    if !here {
        let partial = Partial { path: cached.partial(id), file };
        partial.complete(http, commit, about, progress)?;
        std::fs::rename(&partial.path, &blob).map_err(SourceError::at(&blob))?;
        progress(Event::Done);
    }
    cached.link(commit, &file.path, id)
}

/// A file that is arriving.
struct Partial<'a> {
    path: PathBuf,
    file: &'a RemoteFile,
}

impl Partial<'_> {
    /// Brings the file to its length and proves it. What was left over by an earlier run may be wrong; then it is fetched
    /// from its beginning, once.
    fn complete(&self, http: &Http, commit: &str, about: About, progress: &mut Progress) -> Result<(), SourceError> {
        crate::atomic::make_parent(&self.path)?;
        let left_over = self.length();
        self.arrive(http, commit, about, progress)?;
        let Err(wrong) = self.prove() else { return Ok(()) };
        std::fs::remove_file(&self.path).map_err(SourceError::at(&self.path))?;
        if left_over == 0 {
            return Err(wrong);
        }
        self.arrive(http, commit, about, progress)?;
        self.prove()
    }

    /// Fetches what is missing, with as many connections as that takes.
    fn arrive(&self, http: &Http, commit: &str, about: About, progress: &mut Progress) -> Result<(), SourceError> {
        let mut pieces: Vec<&str> = about.repository.as_str().split('/').collect();
        pieces.extend(["resolve", commit]);
        pieces.extend(self.file.path.split('/'));
        let url = http.address(&pieces);
        let have = self.length().min(self.file.bytes);
        progress(Event::File { path: &self.file.path, bytes: self.file.bytes, have });
        let mut tries = Tries::new(http.patience);
        loop {
            let before = self.length();
            if before == self.file.bytes && self.path.exists() {
                return Ok(());
            }
            let from = if before > self.file.bytes { 0 } else { before };
            let one = http.get(&url, from, about).and_then(|answer| self.append(answer, from, commit, progress));
            if let Err(failure) = one {
                if self.length() > before {
                    tries.progress();
                }
                tries.wait(failure)?;
            }
        }
    }

    /// Writes an answer's body after the first `from` bytes, or from the beginning where the whole file was sent.
    fn append(&self, answer: Answer, from: u64, commit: &str, progress: &mut Progress) -> Result<(), Failure> {
        self.check_headers(&answer, commit)?;
        let begins = match answer.last.status().as_u16() {
            206 => first_byte(&answer).unwrap_or(from),
            _ => 0,
        };
        if begins != from && begins != 0 {
            return Err(protocol(&answer.host, &format!("bytes from {begins} on in place of {from}")).into());
        }
        let to_disk = |error| SourceError::file(&self.path, error, self.file.bytes.saturating_sub(self.length()));
        let mut options = File::options();
        let mut file = options.create(true).truncate(false).write(true).open(&self.path).map_err(to_disk)?;
        // What lies behind the beginning is of another answer. A device has no length to set.
        if self.length() != begins {
            file.set_len(begins).map_err(to_disk)?;
        }
        file.seek(SeekFrom::Start(begins)).map_err(to_disk)?;
        let mut at = begins;
        let host = answer.host.clone();
        let mut body = answer.last.into_body().into_reader();
        let mut block = vec![0_u8; 256 << 10];
        loop {
            let length = body.read(&mut block).map_err(|error| broken(&host, &error))?;
            if length == 0 {
                break;
            }
            file.write_all(&block[..length]).map_err(to_disk)?;
            at += length as u64;
            if at > self.file.bytes {
                return Err(
                    protocol(&host, &format!("more than the {} bytes of {}", self.file.bytes, self.file.path)).into()
                );
            }
            progress(Event::Arrived(at));
        }
        file.sync_data().map_err(to_disk)?;
        if at < self.file.bytes {
            return Err(broken(&host, &format!("{} ended after {at} of {} bytes", self.file.path, self.file.bytes)));
        }
        Ok(())
    }

    /// The hub says which commit and which content it sends; both were asked for.
    fn check_headers(&self, answer: &Answer, commit: &str) -> Result<(), SourceError> {
        if let Some(found) = answer.hub_header("x-repo-commit")
            && found != commit
        {
            return Err(protocol(&answer.host, &format!("commit {found} in place of {commit}")));
        }
        let etag = answer.hub_header("x-linked-etag").or_else(|| answer.hub_header("etag"));
        let etag = etag.map(|text| text.trim_start_matches("W/").trim_matches('"'));
        // Mirrors make ETags of their own; one that is a hash is a statement about the content.
        let is_hash = |text: &&str| [40, 64].iter().any(|digits| crate::repository::is_hex(text, *digits));
        match etag.filter(is_hash) {
            Some(found) if found.len() == self.file.id.as_str().len() && found != self.file.id.as_str() => {
                Err(protocol(&answer.host, &format!("{} with the ETag {found}", self.file.path)))
            }
            _ => Ok(()),
        }
    }

    fn length(&self) -> u64 {
        std::fs::metadata(&self.path).map_or(0, |metadata| metadata.len())
    }

    /// Whether the file is what the hub lists.
    fn prove(&self) -> Result<(), SourceError> {
        let found = content_id(&self.path, &self.file.id)?;
        if found == self.file.id.as_str() {
            return Ok(());
        }
        Err(SourceError::WrongHash {
            path: self.path.clone(),
            found,
            expected: self.file.id.as_str().to_owned(),
            by: "the hub",
            advice: "it was removed; try again, and if it stays so the hub or a proxy changes it on the way",
        })
    }
}

/// The first byte's place in `Content-Range: bytes 5-9/10`.
fn first_byte(answer: &Answer) -> Option<u64> {
    let text = answer.last.headers().get("content-range")?.to_str().ok()?;
    text.strip_prefix("bytes ")?.split('-').next()?.parse().ok()
}
