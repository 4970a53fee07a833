//! Reads settings by their declarations and gathers what is wrong with them.

use url::Url;

use super::address::is_loopback;
use super::environment::Environment;
use super::fault::Fault;
use super::mode::Mode;
use super::nearest::nearest;
use super::reference::is_reference;
use super::secret::Secret;
use super::setting::{Kind, Setting};
use crate::model::redact;

/// Every method answers `None` (or an empty list) for a setting that is unset or wrong; wrong ones leave a fault.
pub(super) struct Reader<'a> {
    environment: &'a dyn Environment,
    pub faults: Vec<Fault>,
    pub warnings: Vec<String>,
}

impl<'a> Reader<'a> {
    pub fn new(environment: &'a dyn Environment) -> Self {
        Self { environment, faults: Vec::new(), warnings: Vec::new() }
    }

    /// The text without surrounding blanks, or the default. An empty text is an unset one.
    pub fn text(&self, setting: &Setting) -> Option<String> {
        self.given(setting).or_else(|| setting.default.map(str::to_owned))
    }

    /// Whether something stands there, be it right or wrong.
    pub fn is_set(&self, setting: &Setting) -> bool {
        self.raw(setting).is_some()
    }

    pub fn secret(&self, setting: &Setting) -> Option<Secret> {
        self.text(setting).map(Secret::new)
    }

    pub fn integer(&mut self, setting: &Setting) -> Option<u64> {
        let (min, max) = match setting.kind {
            Kind::Integer { min, max } => (min, max),
            _ => (0, u64::MAX),
        };
        let remedy = format!("give a whole number from {min} to {max}");
        self.parsed(setting, &remedy, |text| text.parse().ok().filter(|number| (min..=max).contains(number)))
    }

    /// The word as declared, whatever the case it was given in.
    pub fn choice(&mut self, setting: &Setting) -> Option<&'static str> {
        let words = match setting.kind {
            Kind::Choice(words) => words,
            _ => &[],
        };
        let remedy = one_of(&self.text(setting).unwrap_or_default(), words);
        self.parsed(setting, &remedy, |text| words.iter().copied().find(|word| word.eq_ignore_ascii_case(text)))
    }

    /// In lower case.
    pub fn guid(&mut self, setting: &Setting) -> Option<String> {
        self.parsed(setting, GUID_REMEDY, guid)
    }

    pub fn guids(&mut self, setting: &Setting) -> Vec<String> {
        let given = self.list(setting);
        let guids: Vec<_> = given.iter().filter_map(|entry| guid(entry)).collect();
        if guids.len() < given.len() {
            self.wrong(setting, GUID_REMEDY);
        }
        guids
    }

    /// The entries between the commas; empty ones do not count.
    pub fn list(&self, setting: &Setting) -> Vec<String> {
        let text = self.text(setting).unwrap_or_default();
        text.split(',').map(str::trim).filter(|entry| !entry.is_empty()).map(str::to_owned).collect()
    }

    /// An absolute address without credentials, query or fragment. https; in Development also http to this machine.
    pub fn endpoint(&mut self, setting: &Setting, mode: Mode) -> Option<Url> {
        let remedy = "give an https address without user name, password, query or fragment \
                      (in Development, http to a loopback address will do)";
        self.parsed(setting, remedy, |text| {
            let url = Url::parse(text).ok()?;
            let plain = url.username().is_empty() && url.password().is_none();
            let bare = url.query().is_none() && url.fragment().is_none() && url.has_host();
            let private =
                url.scheme() == "https" || (url.scheme() == "http" && mode == Mode::Development && is_loopback(&url));
            (plain && bare && private).then_some(url)
        })
    }

    /// Reads a setting by a rule of the caller's; a text that does not fit is a fault with this remedy.
    pub fn parsed<T>(&mut self, setting: &Setting, remedy: &str, rule: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let text = self.text(setting)?;
        let value = rule(&text);
        if value.is_none() {
            self.wrong(setting, remedy);
        }
        value
    }

    /// The setting's text does not do: a fault that quotes it, unless it is a secret.
    pub fn wrong(&mut self, setting: &Setting, remedy: &str) {
        let problem = match self.text(setting) {
            Some(text) if !setting.secret => {
                let shown: String = redact(&text).chars().take(QUOTE_LIMIT).collect();
                format!("is '{}'", shown.escape_debug())
            }
            Some(_) => "has a value that does not fit".to_owned(),
            None => "is not set".to_owned(),
        };
        self.fault(setting, &problem, remedy);
    }

    pub fn fault(&mut self, setting: &Setting, problem: &str, remedy: &str) {
        if !self.raw(setting).is_some_and(|text| is_reference(&text)) {
            self.unresolved(setting, problem, remedy);
        }
    }

    /// The fault of a setting that is a reference, of which nothing else can be told.
    pub fn unresolved(&mut self, setting: &Setting, problem: &str, remedy: &str) {
        self.faults.push(Fault { setting: setting.name, problem: problem.to_owned(), remedy: remedy.to_owned() });
    }

    pub fn warn(&mut self, warning: String) {
        self.warnings.push(warning);
    }

    /// A reference is not what it refers to.
    fn given(&self, setting: &Setting) -> Option<String> {
        self.raw(setting).filter(|text| !is_reference(text))
    }

    fn raw(&self, setting: &Setting) -> Option<String> {
        let text = self.environment.get(setting.name)?;
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }
}

/// The remedy for a word that is none of these.
pub(super) fn one_of(given: &str, words: &[&str]) -> String {
    let meant = nearest(given, words.iter().copied()).map(|word| format!("; did you mean {word}?"));
    format!("give one of {}{}", words.join(", "), meant.unwrap_or_default())
}

const QUOTE_LIMIT: usize = 80;
const GUID_REMEDY: &str = "give GUIDs of the form 00000000-0000-0000-0000-000000000000";

fn guid(text: &str) -> Option<String> {
    const HYPHENATED: usize = 36;
    (text.len() == HYPHENATED).then(|| uuid::Uuid::try_parse(text).ok()).flatten().map(|id| id.to_string())
}
