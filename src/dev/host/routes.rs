//! Which function a request belongs to.
//!
//! Functions are tried in alphabetical order of their names, not by how specific their routes are; a function that does
//! not list the method is passed over. Letter case and a trailing slash do not count.

use std::sync::Arc;

use percent_encoding::percent_decode_str;

use super::functions::{Function, Trigger};

#[derive(Clone, Debug)]
pub struct Route {
    text: String,
    segments: Vec<Segment>,
    /// In capitals; none for all.
    methods: Option<Vec<String>>,
}

#[derive(Clone, Debug)]
enum Segment {
    Literal(String),
    Parameter {
        name: String,
        kind: Kind,
    },
    /// Literal text around parameters, such as `v{major}-{minor}`: each with the text before it, and the text at the end.
    Mixed(Vec<(String, String)>, String),
    Rest(String),
}

#[derive(Clone, Debug)]
struct Kind {
    optional: bool,
    default: Option<String>,
    constraints: Vec<Constraint>,
}

#[derive(Clone, Debug)]
enum Constraint {
    Integer,
    Number,
    Boolean,
    Guid,
    Letters,
    Value { least: i64, most: i64 },
    Length { least: usize, most: usize },
}

/// A route parameter and what the request has in its place.
pub type Parameters = Vec<(String, String)>;

impl Route {
    /// The error continues the sentence "route '…' ".
    pub fn parse(prefix: &str, text: &str, methods: Option<Vec<String>>) -> Result<Self, String> {
        let own = text.trim_matches('/');
        let whole = [prefix, own].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/");
        let first = whole.split('/').next().unwrap_or_default().to_ascii_lowercase();
        if first == "admin" || first == "runtime" {
            return Err("begins with /admin or /runtime, which belong to the host".to_owned());
        }
        let mut segments = Vec::new();
        for part in whole.split('/').filter(|_| !whole.is_empty()) {
            if matches!(segments.last(), Some(Segment::Rest(_))) {
                return Err("goes on behind a {*rest}, which takes everything".to_owned());
            }
            segments.push(segment(part)?);
        }
        Ok(Self { text: whole.to_ascii_lowercase(), segments, methods })
    }

    /// Whether one of two routes would hide the other.
    pub fn conflicts(&self, other: &Self) -> bool {
        let shared = match (&self.methods, &other.methods) {
            (Some(own), Some(others)) => own.iter().any(|method| others.contains(method)),
            _ => true,
        };
        self.text == other.text && shared
    }

    fn takes(&self, method: &str) -> bool {
        self.methods.as_ref().is_none_or(|methods| methods.iter().any(|known| known.eq_ignore_ascii_case(method)))
    }

    fn matches(&self, segments: &[&str]) -> Option<Parameters> {
        let mut parameters = Vec::new();
        let mut given = segments;
        for segment in &self.segments {
            if let Segment::Rest(name) = segment {
                if !given.is_empty() {
                    parameters.push((name.clone(), given.join("/")));
                }
                return Some(parameters);
            }
            match (given.split_first(), segment) {
                (Some((first, after)), segment) if segment.take(first, &mut parameters) => given = after,
                (None, Segment::Parameter { kind, .. }) if kind.optional => {}
                (None, Segment::Parameter { name, kind: Kind { default: Some(value), .. } }) => {
                    parameters.push((name.clone(), value.clone()));
                }
                _ => return None,
            }
        }
        given.is_empty().then_some(parameters)
    }
}

impl Segment {
    fn take(&self, given: &str, parameters: &mut Parameters) -> bool {
        match self {
            Self::Literal(text) => text.eq_ignore_ascii_case(given) || text.to_lowercase() == given.to_lowercase(),
            Self::Parameter { name, kind } => {
                let fits = !given.is_empty() && kind.constraints.iter().all(|constraint| constraint.holds(given));
                if fits {
                    parameters.push((name.clone(), given.replace("%2F", "/").replace("%2f", "/")));
                }
                fits
            }
            Self::Mixed(parts, end) => mixed(given, parts, end).is_some_and(|values| {
                parameters.extend(parts.iter().map(|(_, name)| name.clone()).zip(values));
                true
            }),
            Self::Rest(_) => false,
        }
    }
}

impl Constraint {
    fn parse(text: &str) -> Result<Self, String> {
        let (name, arguments) = match text.split_once('(') {
            Some((name, rest)) => (name, rest.trim_end_matches(')').split(',').map(str::trim).collect::<Vec<_>>()),
            None => (text, Vec::new()),
        };
        let number = |at: usize| arguments.get(at).and_then(|text| text.parse::<i64>().ok());
        let length = |at: usize| arguments.get(at).and_then(|text| text.parse::<usize>().ok());
        let parsed = match name {
            "int" | "long" => Some(Self::Integer),
            "decimal" | "double" | "float" => Some(Self::Number),
            "bool" => Some(Self::Boolean),
            "guid" => Some(Self::Guid),
            "alpha" => Some(Self::Letters),
            "required" => Some(Self::Length { least: 1, most: usize::MAX }),
            "min" => number(0).map(|least| Self::Value { least, most: i64::MAX }),
            "max" => number(0).map(|most| Self::Value { least: i64::MIN, most }),
            "range" => number(0).zip(number(1)).map(|(least, most)| Self::Value { least, most }),
            "minlength" => length(0).map(|least| Self::Length { least, most: usize::MAX }),
            "maxlength" => length(0).map(|most| Self::Length { least: 0, most }),
            "length" => length(0).map(|least| Self::Length { least, most: length(1).unwrap_or(least) }),
            _ => None,
        };
        parsed.ok_or_else(|| format!("has a constraint '{text}' that this host does not know"))
    }

    fn holds(&self, given: &str) -> bool {
        match self {
            Self::Integer => given.parse::<i64>().is_ok(),
            Self::Number => given.parse::<f64>().is_ok(),
            Self::Boolean => given.eq_ignore_ascii_case("true") || given.eq_ignore_ascii_case("false"),
            Self::Guid => uuid::Uuid::parse_str(given).is_ok(),
            Self::Letters => given.bytes().all(|byte| byte.is_ascii_alphabetic()),
            Self::Value { least, most } => given.parse().is_ok_and(|value: i64| (*least..=*most).contains(&value)),
            Self::Length { least, most } => (*least..=*most).contains(&given.chars().count()),
        }
    }
}

fn segment(part: &str) -> Result<Segment, String> {
    let unclosed = || "has a brace that is not closed".to_owned();
    if part.matches('{').count() != part.matches('}').count() {
        return Err(unclosed());
    }
    if !part.contains('{') {
        let decoded = percent_decode_str(part).decode_utf8_lossy().into_owned();
        return if part.is_empty() { Err("has an empty segment".to_owned()) } else { Ok(Segment::Literal(decoded)) };
    }
    if let Some(inside) =
        part.strip_prefix('{').and_then(|part| part.strip_suffix('}')).filter(|part| !part.contains(['{', '}']))
    {
        if let Some(name) = inside.strip_prefix('*') {
            return Ok(Segment::Rest(name.trim_start_matches('*').split(':').next().unwrap_or_default().to_owned()));
        }
        let (rest, default) = match inside.split_once('=') {
            Some((rest, default)) => (rest, Some(default.to_owned())),
            None => (inside, None),
        };
        let optional = rest.ends_with('?');
        let mut parts = rest.trim_end_matches('?').split(':');
        let name = parts.next().unwrap_or_default().to_owned();
        let constraints = parts.map(Constraint::parse).collect::<Result<_, _>>()?;
        return Ok(Segment::Parameter { name, kind: Kind { optional, default, constraints } });
    }
    let mut parts = Vec::new();
    let mut rest = part;
    while let Some((before, after)) = rest.split_once('{') {
        let (inside, behind) = after.split_once('}').ok_or_else(unclosed)?;
        let name = inside.split([':', '?', '=']).next().unwrap_or_default();
        parts.push((before.to_owned(), name.to_owned()));
        rest = behind;
    }
    Ok(Segment::Mixed(parts, rest.to_owned()))
}

/// The values between literal texts; each as short as can be, and none empty.
fn mixed(given: &str, parts: &[(String, String)], end: &str) -> Option<Vec<String>> {
    let lower = given.to_ascii_lowercase();
    let mut at = 0;
    let mut values = Vec::new();
    for (index, (before, _)) in parts.iter().enumerate() {
        at += lower.get(at..)?.starts_with(&before.to_ascii_lowercase()).then_some(before.len())?;
        let next = parts.get(index + 1).map_or(end, |(before, _)| before).to_ascii_lowercase();
        let rest = lower.get(at..)?;
        let length = match parts.get(index + 1) {
            Some(_) => rest.char_indices().skip(1).map(|(at, _)| at).find(|at| rest[*at..].starts_with(&next))?,
            None => rest.strip_suffix(&next)?.len(),
        };
        values.push(given.get(at..at + length).filter(|value| !value.is_empty())?.to_owned());
        at += length;
    }
    Some(values)
}

/// The HTTP functions in the order in which they are tried.
#[derive(Clone, Default)]
pub struct Routes(Vec<(Route, Arc<Function>)>);

impl Routes {
    pub fn new(functions: &[Arc<Function>]) -> Self {
        let mut routes: Vec<_> = functions
            .iter()
            .filter_map(|function| match &function.trigger {
                Trigger::Http(route) => Some((route.clone(), Arc::clone(function))),
                _ => None,
            })
            .collect();
        routes.sort_by_key(|(_, function)| function.name.to_lowercase());
        Self(routes)
    }

    /// The function for a method and a decoded path. A path with an empty segment belongs to none.
    pub fn find(&self, method: &str, path: &str) -> Option<(&Arc<Function>, Parameters)> {
        let path = path.strip_prefix('/').unwrap_or(path);
        let path = path.strip_suffix('/').unwrap_or(path);
        let segments: Vec<&str> = if path.is_empty() { Vec::new() } else { path.split('/').collect() };
        if segments.iter().any(|segment| segment.is_empty()) {
            return None;
        }
        self.0
            .iter()
            .filter(|(route, _)| route.takes(method))
            .find_map(|(route, function)| Some((function, route.matches(&segments)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(list: &[(&str, &str, Option<&str>)]) -> Routes {
        let functions: Vec<_> = list
            .iter()
            .map(|(name, route, method)| {
                let methods = method.map(|method| vec![method.to_owned()]);
                Arc::new(Function {
                    name: (*name).to_owned(),
                    binding: "req".to_owned(),
                    trigger: Trigger::Http(Route::parse("", route, methods).unwrap()),
                    outputs: Vec::new(),
                    disabled: false,
                })
            })
            .collect();
        Routes::new(&functions)
    }

    fn found(routes: &Routes, method: &str, path: &str) -> Option<String> {
        routes.find(method, path).map(|(function, _)| function.name.clone())
    }

    #[test]
    fn functions_are_tried_by_name_and_not_by_how_specific_they_are() {
        let routes = routes(&[("zfixed", "fixed/path", None), ("catchall", "{*rest}", None)]);
        assert_eq!(found(&routes, "GET", "/fixed/path").as_deref(), Some("catchall"));
    }

    #[test]
    fn a_method_that_nobody_lists_finds_nothing() {
        let routes = routes(&[("only", "api/x", Some("GET"))]);
        assert_eq!(found(&routes, "GET", "/API/X/").as_deref(), Some("only"));
        assert_eq!(found(&routes, "POST", "/api/x"), None);
    }

    #[test]
    fn parameters_constraints_and_rests_are_matched() {
        let routes = routes(&[
            ("a", "items/{id:int}", None),
            ("b", "items/{name}/{more?}", None),
            ("c", "runs/{*rest}", None),
            ("d", "v{major}-{minor}/x", None),
            ("e", "sized/{x:length(2,3)}", None),
        ]);
        assert_eq!(found(&routes, "GET", "/items/5").as_deref(), Some("a"));
        assert_eq!(found(&routes, "GET", "/items/abc").as_deref(), Some("b"));
        assert_eq!(found(&routes, "GET", "/items/abc/d").as_deref(), Some("b"));
        assert_eq!(found(&routes, "GET", "/runs").as_deref(), Some("c"));
        assert_eq!(found(&routes, "GET", "/runs/a/b").as_deref(), Some("c"));
        let (_, parameters) = routes.find("GET", "/V1-2/x").unwrap();
        assert_eq!(parameters, [("major".to_owned(), "1".to_owned()), ("minor".to_owned(), "2".to_owned())]);
        assert_eq!(found(&routes, "GET", "/v1-/x"), None);
        assert_eq!(found(&routes, "GET", "/sized/abcd"), None);
        assert_eq!(found(&routes, "GET", "//items/5"), None);
        assert_eq!(found(&routes, "GET", "/"), None);
    }

    #[test]
    fn wrong_routes_are_told() {
        for (route, says) in [
            ("a/{b", "not closed"),
            ("admin/x", "/admin"),
            ("{*a}/b", "behind"),
            ("{a:date}", "constraint"),
            ("a//b", "empty segment"),
        ] {
            let error = Route::parse("", route, None).unwrap_err();
            assert!(error.contains(says), "{route}: {error}");
        }
    }

    #[test]
    fn the_same_route_is_a_conflict_unless_the_methods_differ() {
        let route =
            |text: &str, method: Option<&str>| Route::parse("api", text, method.map(|m| vec![m.to_owned()])).unwrap();
        assert!(route("x", None).conflicts(&route("/X/", Some("GET"))));
        assert!(!route("x", Some("POST")).conflicts(&route("x", Some("GET"))));
    }
}
