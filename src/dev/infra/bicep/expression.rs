//! Bicep's expressions.

/// A part of a text.
#[derive(Clone, PartialEq, Debug)]
pub enum Part {
    Plain(String),
    Of(Expression),
}

#[derive(Clone, PartialEq, Debug)]
pub enum Expression {
    Null,
    Bool(bool),
    Number(i64),
    Text(Vec<Part>),
    Name(String),
    Array(Vec<Expression>),
    /// Keys are texts, too.
    Object(Vec<(Expression, Expression)>),
    Member(Box<Expression>, String),
    Index(Box<Expression>, Box<Expression>),
    /// A resource inside of another: `network::subnet`.
    Nested(Box<Expression>, String),
    Call(Box<Expression>, Vec<Expression>),
    Unary(String, Box<Expression>),
    Binary(String, Box<Expression>, Box<Expression>),
    Ternary(Box<Expression>, Box<Expression>, Box<Expression>),
    Lambda(String, Box<Expression>),
    /// `[for item in over: body]`, with the names that it binds.
    For(Vec<String>, Box<Expression>, Box<Expression>),
}

impl Expression {
    pub fn text(text: &str) -> Self {
        Self::Text(vec![Part::Plain(text.to_owned())])
    }

    pub fn name(name: &str) -> Self {
        Self::Name(name.to_owned())
    }

    /// The text, if nothing has to be evaluated for it.
    pub fn as_text(&self) -> Option<String> {
        let Self::Text(parts) = self else { return None };
        parts.iter().map(|part| if let Part::Plain(text) = part { Some(text.as_str()) } else { None }).collect()
    }

    /// The value of an object's property.
    pub fn property(&self, name: &str) -> Option<&Self> {
        let Self::Object(properties) = self else { return None };
        properties.iter().find(|(key, _)| key.as_text().is_some_and(|key| key == name)).map(|(_, value)| value)
    }

    /// The value behind `a.b.c`.
    pub fn at(&self, path: &str) -> Option<&Self> {
        path.split('.').try_fold(self, |value, name| value.property(name))
    }

    /// The expressions directly inside of it.
    fn children(&self) -> Vec<&Self> {
        match self {
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Name(_) => Vec::new(),
            Self::Text(parts) => {
                parts.iter().filter_map(|part| if let Part::Of(of) = part { Some(of) } else { None }).collect()
            }
            Self::Array(entries) => entries.iter().collect(),
            Self::Object(properties) => properties.iter().flat_map(|(key, value)| [key, value]).collect(),
            Self::Member(of, _) | Self::Nested(of, _) | Self::Unary(_, of) | Self::Lambda(_, of) => vec![of.as_ref()],
            Self::Index(of, by) | Self::Binary(_, of, by) | Self::For(_, of, by) => vec![of.as_ref(), by.as_ref()],
            Self::Ternary(condition, yes, no) => vec![condition.as_ref(), yes.as_ref(), no.as_ref()],
            Self::Call(function, arguments) => std::iter::once(function.as_ref()).chain(arguments).collect(),
        }
    }

    /// It and everything inside of it.
    pub fn all(&self) -> Vec<&Self> {
        let mut found = vec![self];
        let mut next = 0;
        while let Some(one) = found.get(next) {
            let inside = one.children();
            found.extend(inside);
            next += 1;
        }
        found
    }

    /// The names that it needs from around it; functions that it calls are none.
    pub fn free_names(&self) -> Vec<String> {
        let mut found = Vec::new();
        self.collect_free_names(&mut Vec::new(), &mut found);
        found
    }

    fn collect_free_names(&self, bound: &mut Vec<String>, found: &mut Vec<String>) {
        let depth = bound.len();
        match self {
            Self::Name(name) if !bound.contains(name) => found.push(name.clone()),
            Self::Call(function, arguments) => {
                if !matches!(function.as_ref(), Self::Name(_)) {
                    function.collect_free_names(bound, found);
                }
                arguments.iter().for_each(|argument| argument.collect_free_names(bound, found));
                return;
            }
            Self::Lambda(name, _) => bound.push(name.clone()),
            Self::For(names, over, body) => {
                over.collect_free_names(bound, found);
                bound.extend(names.iter().cloned());
                body.collect_free_names(bound, found);
                bound.truncate(depth);
                return;
            }
            _ => {}
        }
        self.children().into_iter().for_each(|child| child.collect_free_names(bound, found));
        bound.truncate(depth);
    }
}
