//! Every code that an error answer may have. Codes are part of the interface; messages are not.

/// One cause.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Code {
    pub code: &'static str,
    pub status: u16,
    pub meaning: &'static str,
}

const fn code(status: u16, code: &'static str, meaning: &'static str) -> Code {
    Code { code, status, meaning }
}

/// By status, then by name.
pub const CODES: &[Code] = &[
    code(400, "body_interrupted", "The body ended before it was complete."),
    code(400, "body_not_utf8", "The body is not UTF-8; the message names the byte."),
    code(400, "idempotency_key_mismatch", "The header and the body name two different idempotency keys."),
    code(400, "invalid_continuation_token", "The header x-ms-continuation-token is not one that an answer had."),
    code(400, "invalid_field", "A field of the body is missing, unknown or of the wrong type; the message names it."),
    code(400, "invalid_flag", "A flag in the query is neither true nor false."),
    code(400, "invalid_idempotency_key", "The idempotency key is not 1 to 200 visible ASCII characters, given once."),
    code(400, "invalid_json", "The body is no valid JSON; the message names line and column."),
    code(400, "invalid_limit", "The number of entries is not a whole number within its bounds."),
    code(400, "invalid_offset", "The offset is not a whole number of bytes."),
    code(400, "invalid_runtime_status", "There is no such runtime status to filter by."),
    code(400, "invalid_seconds", "A drill's wait is longer than a day."),
    code(400, "invalid_sha", "The commit is not 7 to 64 hexadecimal digits."),
    code(400, "invalid_time", "A time to filter by is not RFC 3339."),
    code(400, "invalid_top", "The page size is not a whole number within its bounds."),
    code(400, "invalid_version", "The version is not of the form 1.2.3 or 1.2.3-suffix."),
    code(400, "invalid_wait", "The wait is not a whole number of seconds from 0 to 25."),
    code(400, "missing_body", "There is no body where one is needed."),
    code(400, "not_an_object", "The body is JSON, but not an object."),
    code(400, "offset_and_range", "Both an offset and a Range ask for a part of a log."),
    code(400, "reason_too_long", "The reason has more than 500 characters."),
    code(400, "unknown_component", "The platform has no such component; the message names those it has."),
    code(400, "unknown_phase", "The probe has no such phase; the message names those it has."),
    code(400, "unknown_pipeline", "There is no such pipeline; the message names those there are."),
    code(401, "authentication_not_configured", "No source of identity is configured, so nobody may call."),
    code(401, "invalid_token", "The credential was refused; the message names the check."),
    code(401, "missing_credential", "No credential was sent."),
    code(403, "approval_by_starter", "Whoever started an upgrade, or one that it goes on for, cannot approve it."),
    code(403, "not_an_admin", "The caller is known, but is no admin of the upgrade."),
    code(404, "no_snapshot", "No upgrade has changed the platform yet, so nothing is known of how it was before."),
    code(404, "route_not_found", "There is nothing at this path."),
    code(404, "unknown_job", "There is no such upgrade."),
    code(404, "unknown_run", "There is no such run, or it is one of another pipeline."),
    code(404, "unknown_version", "The repository has no tag or commit of this version."),
    code(405, "method_not_allowed", "The path takes other methods; the header Allow names them."),
    code(
        409,
        "app_in_multiple_revision_mode",
        "The strategy in_place was asked for, and the app is in multiple revision mode.",
    ),
    code(
        409,
        "app_in_single_revision_mode",
        "The strategy blue_green was asked for, and the app is in single revision mode.",
    ),
    code(409, "downgrade_refused", "The version is older than the one that runs, and allow_downgrade was not sent."),
    code(409, "idempotency_key_reused", "The idempotency key was sent before with another request."),
    code(
        409,
        "major_not_confirmed",
        "The version is of another major than the one that runs, and confirm_major was not sent.",
    ),
    code(409, "no_verdict_wanted", "The upgrade does not wait for a person's verdict; the message names its state."),
    code(409, "not_awaiting_approval", "The upgrade does not wait for an approval; the message names its state."),
    code(409, "not_resumable", "The run cannot go on where it ended; the message says why."),
    code(409, "nothing_to_retry", "The run has succeeded."),
    code(409, "nothing_to_roll_back", "No upgrade has changed the platform yet."),
    code(409, "nothing_to_roll_out", "No container of the app runs an image of the platform's components."),
    code(
        409,
        "pipeline_disabled",
        "Functions of the pipeline are switched off; the message names them and the settings that do it.",
    ),
    code(409, "plan_outdated", "The app or the version is not what the plan with this hash was made for."),
    code(409, "plan_refused", "The upgrade is refused as it is asked for; the message tells why."),
    code(409, "rollback_expired", "The time in which a call may go back is over; the message names other ways."),
    code(
        409,
        "rollback_images_missing",
        "The registry or the app no longer has what a rollback needs; the message names it.",
    ),
    code(409, "rollback_not_allowed", "Nobody goes back from the present state; the message names it."),
    code(
        409,
        "run_falling_back",
        "The run is going back to what was before; it can be waited for, and not be stopped.",
    ),
    code(409, "run_in_flight", "Another run is changing the same thing; the message names it."),
    code(409, "run_not_ended", "The run has not ended; the message names its state."),
    code(409, "sha_mismatch", "The version's tag points to another commit than target_sha."),
    code(
        409,
        "snapshot_unreadable",
        "What the platform was before the upgrade cannot be read; the message tells how to go back by hand.",
    ),
    code(409, "superseded", "A later run has changed the same thing since; the message names it."),
    code(409, "upgrade_in_flight", "An upgrade is in flight; the message names it."),
    code(
        409,
        "version_unknown",
        "Nobody knows which version the app runs, and allow_downgrade and confirm_major were not both sent.",
    ),
    code(410, "run_ended", "The run has ended, so nothing can be asked of it any more."),
    code(413, "payload_too_large", "The body has more than 256 KiB."),
    code(415, "unsupported_media_type", "The body is not declared as JSON in UTF-8, or it is compressed."),
    code(416, "range_not_satisfiable", "The log has none of the bytes that were asked for."),
    code(422, "downtime_not_confirmed", "The upgrade was not confirmed with confirm_downtime: true."),
    code(422, "plan_impossible", "No plan can be made; the message holds the cause and what to do."),
    code(
        429,
        "check_throttled",
        "The repository was asked a moment ago; Retry-After tells when it may be asked again.",
    ),
    code(500, "internal", "A fault of the service; the log tells more under the request id."),
    code(503, "identity_provider_unavailable", "The keys to check a token with cannot be had at the moment."),
    code(503, "not_queued", "The queue did not take the run, which was ended again before it began."),
    code(503, "platform_unavailable", "The repository, the registry or the app does not answer at the moment."),
    code(503, "row_unreadable", "The storage holds something that this version cannot read; the message names it."),
    code(503, "run_unreadable", "This version cannot read the run; the message tells why and what to do."),
    code(503, "storage_unavailable", "The storage does not answer at the moment."),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use regex::Regex;

    use super::*;

    const KINDS: [(&str, u16); 13] = [
        ("bad_request", 400),
        ("unauthorized", 401),
        ("forbidden", 403),
        ("not_found", 404),
        ("method_not_allowed", 405),
        ("conflict", 409),
        ("gone", 410),
        ("payload_too_large", 413),
        ("unsupported_media_type", 415),
        ("range_not_satisfiable", 416),
        ("unprocessable", 422),
        ("too_many", 429),
        ("unavailable", 503),
    ];

    fn sources(folder: &Path, into: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => sources(&path, into),
                false => {
                    let text = std::fs::read_to_string(&path).unwrap();
                    into.push_str(text.split("#[cfg(test)]").next().unwrap_or_default());
                }
            }
        }
    }

    #[test]
    fn the_table_has_exactly_the_codes_that_are_used() {
        let mut text = String::new();
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http"), &mut text);
        let kinds = KINDS.map(|(name, _)| name).join("|");
        let call = Regex::new(&format!(r#"(?:ApiError|Self)::({kinds})\((?:\s*"([a-z0-9_]+)")?"#)).unwrap();
        let mut used = BTreeSet::from([(500, "internal".to_owned())]);
        for found in call.captures_iter(&text) {
            let code = found.get(2).unwrap_or_else(|| panic!("no literal code: {}", &found[0]));
            let status = KINDS.iter().find(|(name, _)| *name == &found[1]).unwrap().1;
            used.insert((status, code.as_str().to_owned()));
        }
        let listed: Vec<_> = CODES.iter().map(|code| (code.status, code.code.to_owned())).collect();
        assert_eq!(listed, used.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn a_code_has_one_meaning() {
        let names: BTreeSet<_> = CODES.iter().map(|code| code.code).collect();
        let meanings: BTreeSet<_> = CODES.iter().map(|code| code.meaning).collect();
        assert_eq!((names.len(), meanings.len()), (CODES.len(), CODES.len()));
    }
}
