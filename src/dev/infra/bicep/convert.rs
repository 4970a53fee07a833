//! From the grammar's nodes to expressions.

use tree_sitter::Node;

use super::expression::{Expression, Part};

pub fn text<'a>(node: Node<'_>, source: &'a str) -> &'a str {
    &source[node.byte_range()]
}

/// The named children, without comments.
pub fn children<'tree>(node: Node<'tree>) -> Vec<Node<'tree>> {
    let mut cursor = node.walk();
    node.named_children(&mut cursor).filter(|child| !child.kind().ends_with("comment")).collect()
}

/// # Errors
/// What the reader does not know, with its line.
pub fn expression(node: Node<'_>, source: &str) -> Result<Expression, String> {
    let unknown = || Err(format!("line {}: nothing is known of a {} here", node.start_position().row + 1, node.kind()));
    let parts = children(node);
    let converted = |index: usize| match parts.get(index) {
        Some(part) => expression(*part, source).map(Box::new),
        None => Err(format!("line {}: a {} lacks a part", node.start_position().row + 1, node.kind())),
    };
    let rebuilt: Box<dyn FnOnce(Box<Expression>) -> Expression> = match node.kind() {
        "null" => return Ok(Expression::Null),
        "boolean" => return Ok(Expression::Bool(text(node, source) == "true")),
        "number" => return text(node, source).parse().map(Expression::Number).or_else(|_| unknown()),
        "string" => return parts_of(node, source).map(Expression::Text),
        "identifier" | "primitive_type" => return Ok(Expression::name(text(node, source))),
        "object" => return object(node, source),
        "array" => {
            return parts.iter().map(|part| expression(*part, source)).collect::<Result<_, _>>().map(Expression::Array);
        }
        "parenthesized_expression" => return converted(0).map(|inside| *inside),
        "for_statement" => return each(node, source),
        "lambda_expression" => return Ok(Expression::Lambda(text(parts[0], source).to_owned(), converted(1)?)),
        "unary_expression" => return Ok(Expression::Unary(operator(node, source), converted(0)?)),
        "member_expression" => {
            let name = text(parts[1], source).to_owned();
            Box::new(|of| Expression::Member(of, name))
        }
        "resource_expression" => {
            let name = text(parts[1], source).to_owned();
            Box::new(|of| Expression::Nested(of, name))
        }
        "subscript_expression" => {
            let index = converted(1)?;
            Box::new(|of| Expression::Index(of, index))
        }
        "binary_expression" => {
            let (operator, right) = (operator(node, source), converted(1)?);
            Box::new(|left| Expression::Binary(operator, left, right))
        }
        "ternary_expression" => {
            let (yes, no) = (converted(1)?, converted(2)?);
            Box::new(|condition| Expression::Ternary(condition, yes, no))
        }
        "call_expression" => {
            let arguments: Result<_, _> = children(parts[1]).into_iter().map(|part| expression(part, source)).collect();
            let arguments: Vec<_> = arguments?;
            Box::new(|function| Expression::Call(function, arguments))
        }
        _ => return unknown(),
    };
    // The grammar ends a lambda too early: `x => x.y` is a lambda with a member to it. It reaches as far as it can.
    Ok(match *converted(0)? {
        Expression::Lambda(name, body) => Expression::Lambda(name, Box::new(rebuilt(body))),
        left => rebuilt(Box::new(left)),
    })
}

fn operator(node: Node<'_>, source: &str) -> String {
    node.child_by_field_name("operator").map_or("", |operator| text(operator, source)).to_owned()
}

fn parts_of(node: Node<'_>, source: &str) -> Result<Vec<Part>, String> {
    let mut parts: Vec<Part> = Vec::new();
    for child in children(node) {
        let plain = match child.kind() {
            "interpolation" => {
                let inside = children(child)[0];
                parts.push(Part::Of(expression(inside, source)?));
                continue;
            }
            "escape_sequence" => text(child, source).trim_start_matches('\\'),
            _ => text(child, source),
        };
        match parts.last_mut() {
            Some(Part::Plain(before)) => before.push_str(plain),
            _ => parts.push(Part::Plain(plain.to_owned())),
        }
    }
    if parts.is_empty() { Ok(vec![Part::Plain(String::new())]) } else { Ok(parts) }
}

/// Resources inside of a resource are declarations of their own and no properties.
fn object(node: Node<'_>, source: &str) -> Result<Expression, String> {
    let mut properties = Vec::new();
    for property in children(node) {
        match children(property)[..] {
            [key, value] => {
                let key = match key.kind() {
                    "string" => expression(key, source)?,
                    _ => Expression::text(text(key, source)),
                };
                properties.push((key, expression(value, source)?));
            }
            _ => continue,
        }
    }
    Ok(Expression::Object(properties))
}

/// `[for item in over: body]`.
fn each(node: Node<'_>, source: &str) -> Result<Expression, String> {
    let parts = children(node);
    let [names, over, body] = parts[..] else {
        return Err(format!("line {}: a loop without a name", node.start_position().row + 1));
    };
    let bound = match names.kind() {
        "for_loop_parameters" => children(names),
        _ => vec![names],
    };
    let bound = bound.into_iter().map(|name| text(name, source).to_owned()).collect();
    Ok(Expression::For(bound, Box::new(expression(over, source)?), Box::new(expression(body, source)?)))
}
