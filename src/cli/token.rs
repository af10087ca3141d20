//! `sensorium token`.

use std::process::ExitCode;

use clap::Args;
use sensorium_domain::{Clock, SystemClock, TenantId};

use crate::auth::sign_token;
use crate::cli::SettingsArgs;
use crate::http::access::Scope;
use crate::startup::hs256_secret;

/// Flags of `token`.
#[derive(Args)]
pub struct TokenArgs {
    #[command(flatten)]
    settings: SettingsArgs,
    /// Whose things the token sees
    #[arg(long)]
    tenant: TenantId,
    /// What it may do
    #[arg(long, value_delimiter = ',', required = true)]
    scope: Vec<Scope>,
    /// How long it is valid, e.g. 30s, 15m, 1h, 7d
    #[arg(long, default_value = "1h", value_parser = parse_duration_ms)]
    ttl: i64,
}

/// Prints an HS256 token signed with the configured secret or the data folder's own.
pub fn run(args: &TokenArgs) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let config = args.settings.load(Vec::new())?;
    let folder = &config.storage.data_dir;
    if config.auth.hs256_secret.is_empty() && !folder.exists() {
        return Err(format!(
            "there is no data folder {}; start the server once, or set auth.hs256_secret",
            folder.display()
        )
        .into());
    }
    let secret = hs256_secret(&config, folder)?;
    let now = SystemClock.now();
    println!("{}", sign_token(&secret, &config.auth, &args.tenant, &args.scope, now, now.plus_ms(args.ttl))?);
    Ok(ExitCode::SUCCESS)
}

fn parse_duration_ms(text: &str) -> Result<i64, String> {
    let wrong = || format!("\"{text}\" is not a duration such as 30s, 15m, 1h or 7d");
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(unit_at);
    let unit_ms = match unit {
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wrong()),
    };
    number.parse::<i64>().ok().and_then(|number| number.checked_mul(unit_ms)).filter(|ms| *ms > 0).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(parse_duration_ms("90s"), Ok(90_000));
        assert_eq!(parse_duration_ms("7d"), Ok(604_800_000));
        for wrong in ["", "h", "5", "5w", "-1h", "0s", "99999999999999999d"] {
            assert!(parse_duration_ms(wrong).is_err(), "{wrong}");
        }
    }
}
