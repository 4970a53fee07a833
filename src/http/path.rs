//! Paths as the Functions host takes them: it finds a function ignoring case, escapes and a trailing slash, and then
//! forwards the path as the client wrote it. Here it is brought into the form that the router knows.

use axum::extract::Request;
use axum::http::Uri;
use axum::http::uri::PathAndQuery;
use percent_encoding::percent_decode_str;

use super::routes;

/// The request under the path of our table that the host would have found it by; as it is if there is none.
pub fn rewrite(mut request: Request) -> Request {
    let uri = request.uri();
    if let Some(path) = canonical(uri.path(), routes::paths())
        && path != uri.path()
        && let Some(rewritten) = with_path(uri, &path)
    {
        *request.uri_mut() = rewritten;
    }
    request
}

/// The path with the template's own spelling of its fixed segments; values stay as they are.
fn canonical(path: &str, templates: impl Iterator<Item = &'static str>) -> Option<String> {
    let path = path.strip_suffix('/').unwrap_or(path);
    let given: Vec<&str> = path.split('/').collect();
    let fits = |template: &'static str| {
        let wanted: Vec<&str> = template.split('/').collect();
        let same =
            wanted.len() == given.len() && wanted.iter().zip(&given).all(|(wanted, given)| matches(wanted, given));
        same.then_some(wanted)
    };
    // The more fixed segments, the closer.
    let wanted = templates.filter_map(fits).max_by_key(|wanted| wanted.iter().filter(|s| !is_value(s)).count())?;
    let segments = wanted.iter().zip(&given).map(|(wanted, given)| if is_value(wanted) { *given } else { *wanted });
    Some(segments.collect::<Vec<_>>().join("/"))
}

fn matches(wanted: &str, given: &str) -> bool {
    match is_value(wanted) {
        true => !given.is_empty(),
        false => percent_decode_str(given).decode_utf8().is_ok_and(|given| given.eq_ignore_ascii_case(wanted)),
    }
}

fn is_value(segment: &str) -> bool {
    segment.starts_with('{')
}

fn with_path(uri: &Uri, path: &str) -> Option<Uri> {
    let line = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(line.parse::<PathAndQuery>().ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATES: [&str; 4] = ["/api/probe/start", "/api/probe/{id}", "/api/probe/{id}/status", "/api/runs"];

    fn found(path: &str) -> Option<String> {
        canonical(path, TEMPLATES.into_iter())
    }

    #[test]
    fn fixed_segments_take_the_tables_spelling_and_values_keep_theirs() {
        assert_eq!(found("/API/Probe/AbC/STATUS").as_deref(), Some("/api/probe/AbC/status"));
        assert_eq!(found("/api/%70robe/a%2Fb/status").as_deref(), Some("/api/probe/a%2Fb/status"));
    }

    #[test]
    fn one_trailing_slash_is_dropped() {
        assert_eq!(found("/api/runs/").as_deref(), Some("/api/runs"));
        assert_eq!(found("/api/runs//"), None);
    }

    #[test]
    fn a_fixed_segment_wins_over_a_value() {
        assert_eq!(found("/api/probe/START").as_deref(), Some("/api/probe/start"));
        assert_eq!(found("/api/probe/Begin").as_deref(), Some("/api/probe/Begin"));
    }

    #[test]
    fn other_paths_are_left_alone() {
        for path in ["", "/", "/api", "/api/probe//status", "/api/probe/x/status/y", "/api/%ffrobe/x", "*"] {
            assert_eq!(found(path), None, "{path}");
        }
    }

    #[test]
    fn the_query_stays() {
        let request = Request::builder().uri("/API/runs/?top=5&code=A%20b").body(axum::body::Body::empty());
        assert_eq!(rewrite(request.unwrap()).uri(), "/api/runs?top=5&code=A%20b");
    }
}
