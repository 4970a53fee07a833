//! `$filter` of Runs_List: comparisons and `contains` over eight properties, joined by `and`, `or` and brackets.
//! Source: the reference page of Runs_List and the RunFilter type of the service's description.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::run::Run;

pub(super) enum Filter {
    And(Vec<Filter>),
    Or(Vec<Filter>),
    Compare(Property, Operator, String),
    Contains(Property, String),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Property {
    RunId,
    RunType,
    Status,
    CreateTime,
    FinishTime,
    OutputImageManifests,
    IsArchiveEnabled,
    TaskName,
}

#[derive(Clone, Copy)]
pub(super) enum Operator {
    Eq,
    Ne,
    Gt,
    Ge,
    Lt,
    Le,
}

impl Filter {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut tokens = Tokens(tokens(text)?.into_iter().peekable());
        let filter = tokens.any()?;
        match tokens.0.next() {
            None => Ok(filter),
            Some(token) => Err(format!("'{}' was not expected", token.text())),
        }
    }

    pub(super) fn admits(&self, run: &Run) -> bool {
        match self {
            Self::And(parts) => parts.iter().all(|part| part.admits(run)),
            Self::Or(parts) => parts.iter().any(|part| part.admits(run)),
            Self::Contains(property, part) => {
                property.text(run).is_some_and(|value| value.to_lowercase().contains(&part.to_lowercase()))
            }
            Self::Compare(property, operator, literal) => property.compare(run, *operator, literal),
        }
    }
}

impl Property {
    fn named(name: &str) -> Result<Self, String> {
        Ok(match name.to_lowercase().as_str() {
            "runid" => Self::RunId,
            "runtype" => Self::RunType,
            "status" => Self::Status,
            "createtime" => Self::CreateTime,
            "finishtime" => Self::FinishTime,
            "outputimagemanifests" => Self::OutputImageManifests,
            "isarchiveenabled" => Self::IsArchiveEnabled,
            "taskname" => Self::TaskName,
            _ => return Err(format!("'{name}' is no property that runs can be filtered by")),
        })
    }

    fn text(self, run: &Run) -> Option<String> {
        match self {
            Self::RunId => Some(run.id.clone()),
            Self::RunType => Some("QuickRun".into()),
            Self::Status => Some(run.status.name().into()),
            Self::OutputImageManifests => Some(run.manifests()),
            Self::IsArchiveEnabled => Some(run.request.archived.to_string()),
            Self::CreateTime | Self::FinishTime | Self::TaskName => None,
        }
    }

    fn compare(self, run: &Run, operator: Operator, literal: &str) -> bool {
        let order = match self {
            Self::CreateTime | Self::FinishTime => {
                let at = if self == Self::CreateTime { Some(run.created_at) } else { run.finished_at };
                let (Some(at), Ok(literal)) = (at, OffsetDateTime::parse(literal, &Rfc3339)) else { return false };
                at.cmp(&literal)
            }
            _ => self.text(run).unwrap_or_default().to_lowercase().cmp(&literal.to_lowercase()),
        };
        match operator {
            Operator::Eq => order.is_eq(),
            Operator::Ne => order.is_ne(),
            Operator::Gt => order.is_gt(),
            Operator::Ge => order.is_ge(),
            Operator::Lt => order.is_lt(),
            Operator::Le => order.is_le(),
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Token {
    Word(String),
    Literal(String),
    Mark(char),
}

impl Token {
    fn text(&self) -> String {
        match self {
            Self::Word(text) | Self::Literal(text) => text.clone(),
            Self::Mark(mark) => mark.to_string(),
        }
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if matches!(first, '(' | ')' | ',') {
            tokens.push(Token::Mark(first));
            rest = &rest[1..];
        } else if first == '\'' {
            let end = rest[1..].find('\'').ok_or("a quote is not closed")? + 1;
            tokens.push(Token::Literal(rest[1..end].to_owned()));
            rest = &rest[end + 1..];
        } else {
            let end = rest.find(|c: char| c.is_whitespace() || "(),'".contains(c)).unwrap_or(rest.len());
            tokens.push(Token::Word(rest[..end].to_owned()));
            rest = &rest[end..];
        }
        rest = rest.trim_start();
    }
    Ok(tokens)
}

struct Tokens(std::iter::Peekable<std::vec::IntoIter<Token>>);

impl Tokens {
    fn any(&mut self) -> Result<Filter, String> {
        let mut parts = vec![self.all()?];
        while self.takes_word("or") {
            parts.push(self.all()?);
        }
        Ok(Filter::Or(parts))
    }

    fn all(&mut self) -> Result<Filter, String> {
        let mut parts = vec![self.one()?];
        while self.takes_word("and") {
            parts.push(self.one()?);
        }
        Ok(Filter::And(parts))
    }

    fn one(&mut self) -> Result<Filter, String> {
        match self.0.next() {
            Some(Token::Mark('(')) => {
                let inner = self.any()?;
                self.mark(')')?;
                Ok(inner)
            }
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("contains") => {
                self.mark('(')?;
                let property = Property::named(&self.value()?)?;
                self.mark(',')?;
                let part = self.value()?;
                self.mark(')')?;
                Ok(Filter::Contains(property, part))
            }
            Some(Token::Word(word)) => {
                let property = Property::named(&word)?;
                let operator = match self.value()?.to_lowercase().as_str() {
                    "eq" => Operator::Eq,
                    "ne" => Operator::Ne,
                    "gt" => Operator::Gt,
                    "ge" => Operator::Ge,
                    "lt" => Operator::Lt,
                    "le" => Operator::Le,
                    other => return Err(format!("'{other}' is no operator")),
                };
                Ok(Filter::Compare(property, operator, self.value()?))
            }
            Some(token) => Err(format!("'{}' was not expected", token.text())),
            None => Err("it ends too early".into()),
        }
    }

    fn takes_word(&mut self, wanted: &str) -> bool {
        self.0.next_if(|token| matches!(token, Token::Word(word) if word.eq_ignore_ascii_case(wanted))).is_some()
    }

    fn mark(&mut self, wanted: char) -> Result<(), String> {
        let found = self.0.next_if_eq(&Token::Mark(wanted));
        found.map(drop).ok_or_else(|| format!("'{wanted}' is missing"))
    }

    fn value(&mut self) -> Result<String, String> {
        match self.0.next() {
            Some(Token::Word(text) | Token::Literal(text)) => Ok(text),
            Some(Token::Mark(mark)) => Err(format!("'{mark}' was not expected")),
            None => Err("it ends too early".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_service_does_not_support_is_refused() {
        for text in [
            "ImageName eq 'x'",
            "Status eq",
            "Status is 'x'",
            "contains(Status 'x')",
            "startswith(Status,'x')",
            "not Status eq 'x'",
            "(Status eq 'x'",
            "Status eq 'x' extra",
            "Status eq 'x",
        ] {
            assert!(Filter::parse(text).is_err(), "{text}");
        }
        let good =
            "Status eq 'Running' and (CreateTime ge 2026-01-01T00:00:00Z or contains(OutputImageManifests, 'a@'))";
        assert!(Filter::parse(good).is_ok());
    }
}
