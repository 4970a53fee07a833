//! From the grammar's nodes to expressions.
//!
//! What stands between brackets is taken from the grammar's tree. How operators bind is decided here, over the tokens between
//! them: to the grammar, `a && b.c` is the member `c` of `a && b`, and `x => x.y` is a lambda with a member.

use tree_sitter::{Node, Parser, Tree};

use super::expression::{Expression, Part};

/// From the loosest to the tightest. A lambda and a choice reach as far as they can.
const OPERATORS: &[&[&str]] =
    &[&["??"], &["||"], &["&&"], &["==", "!=", "=~", "!~"], &["<", "<=", ">", ">="], &["+", "-"], &["*", "/", "%"]];

/// Nodes that are one token each; whatever they hold is read by itself.
const WHOLE: &[&str] = &[
    "arguments",
    "array",
    "boolean",
    "for_statement",
    "identifier",
    "null",
    "number",
    "object",
    "parenthesized_expression",
    "property_identifier",
    "string",
];

pub fn parse(source: &str) -> Tree {
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_bicep::LANGUAGE.into()).expect("the grammar fits its library");
    parser.parse(source, None).expect("a parser with a language and without a time limit answers")
}

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
    let mut tokens = Vec::new();
    collect(node, &mut tokens);
    let mut reader = Reader { tokens, next: 0, source };
    let read = reader.expression(0)?;
    match reader.peek() {
        Some(rest) => Err(strange(rest, source)),
        None => Ok(read),
    }
}

fn collect<'tree>(node: Node<'tree>, tokens: &mut Vec<Node<'tree>>) {
    if WHOLE.contains(&node.kind()) || node.child_count() == 0 {
        tokens.push(node);
        return;
    }
    let mut cursor = node.walk();
    let inside: Vec<_> = node.children(&mut cursor).filter(|child| !child.kind().ends_with("comment")).collect();
    inside.into_iter().for_each(|child| collect(child, tokens));
}

fn strange(node: Node<'_>, source: &str) -> String {
    format!("line {}: nothing is known of {} here", node.start_position().row + 1, text(node, source))
}

struct Reader<'tree, 'a> {
    tokens: Vec<Node<'tree>>,
    next: usize,
    source: &'a str,
}

impl<'tree> Reader<'tree, '_> {
    fn peek(&self) -> Option<Node<'tree>> {
        self.tokens.get(self.next).copied()
    }

    fn take(&mut self) -> Result<Node<'tree>, String> {
        let token = self.peek().ok_or("an expression ends too early")?;
        self.next += 1;
        Ok(token)
    }

    fn takes(&mut self, kind: &str) -> bool {
        let found = self.peek().is_some_and(|token| token.kind() == kind);
        self.next += usize::from(found);
        found
    }

    fn needs(&mut self, kind: &str) -> Result<(), String> {
        if self.takes(kind) { Ok(()) } else { Err(format!("an expression lacks a {kind}")) }
    }

    /// Everything from operators of this level on.
    fn expression(&mut self, level: usize) -> Result<Expression, String> {
        let mut left = self.operand()?;
        while let Some((operator, found)) = self.operator().filter(|(_, found)| *found >= level) {
            self.next += 1;
            left = Expression::Binary(operator, Box::new(left), Box::new(self.expression(found + 1)?));
        }
        if level == 0 && self.takes("?") {
            let yes = self.expression(0)?;
            self.needs(":")?;
            left = Expression::Ternary(Box::new(left), Box::new(yes), Box::new(self.expression(0)?));
        }
        Ok(left)
    }

    fn operator(&self) -> Option<(String, usize)> {
        let kind = self.peek()?.kind();
        let level = OPERATORS.iter().position(|level| level.contains(&kind))?;
        Some((kind.to_owned(), level))
    }

    fn operand(&mut self) -> Result<Expression, String> {
        let token = self.take()?;
        if matches!(token.kind(), "!" | "-") {
            return Ok(Expression::Unary(token.kind().to_owned(), Box::new(self.operand()?)));
        }
        let mut operand = self.whole(token)?;
        if let Expression::Name(name) = &operand
            && self.takes("=>")
        {
            return Ok(Expression::Lambda(name.clone(), Box::new(self.expression(0)?)));
        }
        while let Some(token) = self.peek() {
            let of = Box::new(operand);
            self.next += 1;
            operand = match token.kind() {
                "." | ".?" => Expression::Member(of, text(self.take()?, self.source).to_owned()),
                "::" => Expression::Nested(of, text(self.take()?, self.source).to_owned()),
                "[" => {
                    let index = self.expression(0)?;
                    self.needs("]")?;
                    Expression::Index(of, Box::new(index))
                }
                "arguments" => Expression::Call(of, all(token, self.source)?),
                // `a!` is `a`, said to be there.
                "!" => *of,
                _ => {
                    self.next -= 1;
                    return Ok(*of);
                }
            };
        }
        Ok(operand)
    }

    fn whole(&self, token: Node<'_>) -> Result<Expression, String> {
        let source = self.source;
        match token.kind() {
            "null" => Ok(Expression::Null),
            "boolean" => Ok(Expression::Bool(text(token, source) == "true")),
            "number" => text(token, source).parse().map(Expression::Number).map_err(|_| strange(token, source)),
            "string" => parts(token, source).map(Expression::Text),
            "identifier" => Ok(Expression::name(text(token, source))),
            "object" => object(token, source),
            "array" => all(token, source).map(Expression::Array),
            "for_statement" => each(token, source),
            "parenthesized_expression" => match children(token)[..] {
                [inside] => expression(inside, source),
                _ => Err(strange(token, source)),
            },
            _ => Err(strange(token, source)),
        }
    }
}

fn all(node: Node<'_>, source: &str) -> Result<Vec<Expression>, String> {
    children(node).into_iter().map(|child| expression(child, source)).collect()
}

fn parts(node: Node<'_>, source: &str) -> Result<Vec<Part>, String> {
    let mut parts: Vec<Part> = Vec::new();
    for child in children(node) {
        let plain = match child.kind() {
            "interpolation" => {
                let inside = all(child, source)?.into_iter().next();
                parts.push(Part::Of(inside.ok_or_else(|| strange(child, source))?));
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
        if let [key, value] = children(property)[..] {
            let key = match key.kind() {
                "string" => expression(key, source)?,
                _ => Expression::text(text(key, source)),
            };
            properties.push((key, expression(value, source)?));
        }
    }
    Ok(Expression::Object(properties))
}

/// `[for item in over: body]`.
fn each(node: Node<'_>, source: &str) -> Result<Expression, String> {
    let [names, over, body] = children(node)[..] else { return Err(strange(node, source)) };
    let bound = if names.kind() == "for_loop_parameters" { children(names) } else { vec![names] };
    let bound = bound.into_iter().map(|name| text(name, source).to_owned()).collect();
    Ok(Expression::For(bound, Box::new(expression(over, source)?), Box::new(expression(body, source)?)))
}
