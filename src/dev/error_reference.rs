//! `docs/errors.md`: every code that an error answer may have, made from the table that `http/` keeps.

use std::fmt::Write;

use crate::http::codes::CODES;

/// The text of `docs/errors.md`.
pub fn reference() -> String {
    let mut text = String::from(
        "# Errors\n\n\
         An answer that is an error has the body `{\"code\", \"message\", \"request_id\"}`. The code is part of the interface and\n\
         stays; the message is for people and says what to do. The request id is in the header `x-request-id` and in the log.\n\
         A 429 and a 503 have `Retry-After`.\n\n\
         | status | code | what it means |\n|---|---|---|\n",
    );
    for code in CODES {
        // Writing to a String does not fail.
        let _ = writeln!(text, "| {} | `{}` | {} |", code.status, code.code, code.meaning);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dev::generated::is_up_to_date;

    #[test]
    fn the_reference_has_every_code_there_is() {
        is_up_to_date("docs/errors.md", &reference());
    }
}
