//! What a host would say to files that it is not started on: those of a package.

use super::bindings::{self, FunctionFile};
use super::environment::Environment;
use super::faults::Faults;
use super::settings;

/// Everything that would keep a host from starting, or a function of it from being called: `host` is the text of
/// host.json, `functions` are names with the text of their function.json. The environment of this process is no part of it.
pub fn judge<'a>(host: &str, functions: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<String> {
    let environment = Environment::default();
    let mut faults = Faults::default();
    let settings = settings::parse("host.json", host, &environment, &mut faults);
    let files = functions.into_iter().map(|(function, text)| FunctionFile {
        function: function.to_owned(),
        text: text.to_owned(),
        shown: format!("{function}/function.json"),
    });
    bindings::parse(files, &settings.route_prefix, &environment, &mut faults);
    faults.into_list()
}
