//! A trace as a tree: who did what for how long, below what.

use std::fmt::Write;

use super::received::Span;

/// The spans of one trace, each below its parent, in the order in which they began. Calls that are alike and follow each
/// other share a line.
pub fn tree(spans: &[Span], trace: &str) -> String {
    let mut of: Vec<&Span> = spans.iter().filter(|span| span.trace == trace).collect();
    of.sort_by_key(|span| span.begun);
    let run = of.iter().map(|span| span.attribute("windlass.run")).find(|run| !run.is_empty()).unwrap_or("no run");
    let mut text = format!("trace {trace}, {run}\n");
    let zero = of.first().map_or(0, |span| span.begun);
    let known = |id: &str| of.iter().any(|span| span.id == id);
    let roots: Vec<&Span> = of.iter().copied().filter(|span| !known(&span.parent)).collect();
    branch(&mut text, &of, &roots, zero, 0);
    text
}

fn branch(text: &mut String, of: &[&Span], siblings: &[&Span], zero: u64, depth: usize) {
    let mut rest = siblings;
    while let Some((first, others)) = rest.split_first() {
        let children = |parent: &Span| -> Vec<&Span> { of.iter().copied().filter(|s| s.parent == parent.id).collect() };
        let inner = children(first);
        let alike = |other: &&&Span| label(other) == label(first) && children(other).is_empty();
        let more = if inner.is_empty() { others.iter().take_while(alike).count() } else { 0 };
        let took: u64 = rest.iter().take(more + 1).map(|span| span.ended.saturating_sub(span.begun)).sum();
        let times = if more > 0 { format!(" ×{}", more + 1) } else { String::new() };
        let indent = "  ".repeat(depth);
        // Writing to a String does not fail.
        let _ = writeln!(
            text,
            "{:>9} {:>9}  {indent}{}{times}",
            format!("+{:.3}s", seconds(first.begun.saturating_sub(zero))),
            format!("{:.1}ms", seconds(took) * 1_000.0),
            label(first)
        );
        branch(text, of, &inner, zero, depth + 1);
        rest = rest.get(more + 1..).unwrap_or_default();
    }
}

fn label(span: &Span) -> String {
    let mut label = span.name.clone();
    if span.kind == "client" && !span.attribute("windlass.operation").is_empty() {
        let _ = write!(label, "  {} {}", span.attribute("http.request.method"), span.attribute("server.address"));
    }
    let attempt = span.attribute("windlass.attempt");
    if !attempt.is_empty() && attempt != "1" {
        let _ = write!(label, "  attempt {attempt}");
    }
    for name in ["http.response.status_code", "windlass.answer", "windlass.error"] {
        let value = span.attribute(name);
        if !value.is_empty() {
            let _ = write!(label, "  {value}");
        }
    }
    if span.failed {
        label.push_str("  !");
    }
    label
}

fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(id: &str, parent: &str, name: &str, begun: u64) -> Span {
        Span {
            trace: "t".into(),
            id: id.into(),
            parent: parent.into(),
            name: name.into(),
            kind: "client",
            begun: begun * 1_000_000,
            ended: (begun + 2) * 1_000_000,
            failed: false,
            attributes: [("windlass.run".to_owned(), "r-1".to_owned())].into(),
            links: Vec::new(),
            resource: Default::default(),
        }
    }

    #[test]
    fn a_trace_is_told_from_the_outside_in_and_in_order() {
        let spans = [
            span("d", "b", "GET a", 30),
            span("b", "a", "probe/build", 10),
            span("c", "b", "GET a", 20),
            span("a", "", "POST /api/probe/start", 0),
            Span { trace: "other".into(), ..span("x", "", "sweep", 5) },
        ];
        assert_eq!(
            tree(&spans, "t"),
            "trace t, r-1\n  +0.000s     2.0ms  POST /api/probe/start\n  +0.010s     2.0ms    probe/build\n  \
             +0.020s     4.0ms      GET a ×2\n"
        );
    }

    #[test]
    fn a_span_whose_parent_is_elsewhere_stands_outside() {
        assert_eq!(tree(&[span("b", "gone", "probe/build", 10)], "t").lines().count(), 2);
    }
}
