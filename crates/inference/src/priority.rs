//! The system's priority of the threads of ingest, where they compute beside those of searches.

use thread_priority::{ThreadPriority, ThreadPriorityValue};

/// By how much the niceness of ingest is above that of searches: while searches compute, it then has a tenth of a core's share. It
/// is never starved.
const NICER: i32 = 10;

/// The greatest niceness that there is.
const NICEST: i32 = 19;

/// What puts a thread behind those of searches, which are as nice as the one that calls this. Doing it again changes nothing, nor does it where one such
/// thread starts another. Where the system refuses, a thread goes on as it is: slower searches are better than none.
pub fn yielding_to_searches() -> impl Fn() + Clone + Send + Sync + 'static {
    let niceness = (niceness() + NICER).min(NICEST);
    move || {
        let set = ThreadPriorityValue::try_from(value_of(niceness)).and_then(|value| {
            ThreadPriority::Crossplatform(value).set_for_current().map_err(|error| error.to_string())
        });
        if let Err(error) = set {
            tracing::debug!(niceness, error, "a thread of ingest keeps its priority");
        }
    }
}

/// The current thread's niceness, which a new thread has from the one that started it. 0, which is usual, where the system does not say.
fn niceness() -> i32 {
    std::fs::read_to_string("/proc/thread-self/stat").ok().and_then(|stat| niceness_in(&stat)).unwrap_or(0)
}

/// Field 19 of a thread's `stat`. The second is the thread's name in brackets, which may hold anything.
fn niceness_in(stat: &str) -> Option<i32> {
    let (_, from_the_third) = stat.rsplit_once(')')?;
    from_the_third.split_whitespace().nth(16)?.parse().ok()
}

/// The priority from 0 to 99 that the library turns into `niceness` on Linux, where it divides the 40 steps from 19 to -20 evenly; this is the middle of a step.
/// On other systems it is as much below what is usual.
fn value_of(niceness: i32) -> u8 {
    let middle = (99 * (37 - 2 * niceness) + 39) / 78;
    middle.clamp(0, 99) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_niceness_is_found_behind_any_name() {
        let rest = "S 1 1 1 0 -1 4194560 1 0 0 0 0 0 0 0 20 7 2 0 100 0";
        assert_eq!(niceness_in(&format!("12 (encoder-bulk-0) {rest}")), Some(7));
        assert_eq!(niceness_in(&format!("12 (a) b (c d) {rest}")), Some(7));
        assert_eq!(niceness_in("12 (cut off) S 1"), None);
        assert_eq!(niceness_in(""), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn each_niceness_has_its_value() {
        use thread_priority::{NormalThreadSchedulePolicy, ThreadSchedulePolicy};
        assert_eq!(value_of(10), 22);
        for niceness in -20..=NICEST {
            let value = ThreadPriorityValue::try_from(value_of(niceness)).unwrap();
            let policy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Other);
            assert_eq!(ThreadPriority::Crossplatform(value).to_posix(policy), Ok(niceness));
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn threads_that_yield_are_equally_nicer_than_who_asked() {
        let yields = yielding_to_searches();
        let wanted = (niceness() + NICER).min(NICEST);
        let (first, second) = std::thread::spawn(move || {
            yields();
            let again = std::thread::spawn(move || {
                yields();
                niceness()
            });
            (niceness(), again.join())
        })
        .join()
        .unwrap();
        assert_eq!((first, second.unwrap()), (wanted, wanted));
    }
}
