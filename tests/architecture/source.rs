//! One source file, taken apart by Rust's own lexer: comments, strings and lifetimes are never mistaken for code.

use std::str::FromStr;

use proc_macro2::{Delimiter, Ident, Spacing, TokenStream, TokenTree};

/// A path that code writes out, for example in a `use`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Path {
    /// From the crate's root on for paths into the crate; as written for the rest.
    pub segments: Vec<String>,
    pub kind: PathKind,
    pub line: usize,
    /// Stands in code that is compiled for tests alone.
    pub in_tests: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PathKind {
    /// Begins with `crate`, `super` or `self`.
    Own,
    /// Begins with a name: a crate, or something that is in scope.
    Named,
}

/// A module that the file keeps in another file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Child {
    pub name: String,
    /// From `#[path = "…"]`.
    pub file: Option<String>,
    pub in_tests: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Word {
    pub text: String,
    pub line: usize,
    pub in_tests: bool,
}

/// A function that is a test.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Test {
    pub name: String,
    pub line: usize,
    pub attributes: Vec<String>,
}

/// What the rules look at.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// From the repository's root, with forward slashes.
    pub file: String,
    pub text: String,
    /// The module that the file is, from the crate's root: `["engine", "ports"]`.
    pub module: Vec<String>,
    pub paths: Vec<Path>,
    pub words: Vec<Word>,
    pub children: Vec<Child>,
    pub tests: Vec<Test>,
    /// Lines with `feature = "<name>"` in an attribute or a `cfg!`, and the name.
    pub features: Vec<(String, usize)>,
}

impl Source {
    /// Panics on text that is no Rust.
    pub fn parse(file: &str, text: &str, in_tests: bool) -> Self {
        let tokens = TokenStream::from_str(text).unwrap_or_else(|error| panic!("{file}: {error}"));
        let mut source =
            Self { file: file.to_owned(), text: text.to_owned(), module: module_of(file), ..Self::default() };
        let module = source.module.clone();
        source.read(tokens, &module, in_tests);
        source
    }

    /// The top-level room: `engine` for everything below `src/engine`, `main` and `lib` for the roots.
    pub fn room(&self) -> &str {
        let inside = self.file.strip_prefix("src/").unwrap_or(&self.file);
        inside.split('/').next().unwrap_or(inside).trim_end_matches(".rs")
    }

    fn read(&mut self, tokens: TokenStream, module: &[String], in_tests: bool) {
        let trees: Vec<TokenTree> = tokens.into_iter().collect();
        let mut attributes: Vec<TokenStream> = Vec::new();
        let mut at = 0;
        while let Some(tree) = trees.get(at) {
            let for_tests = in_tests || attributes.iter().any(is_cfg_test);
            match tree {
                TokenTree::Punct(punct) if punct.as_char() == '#' => {
                    if let Some(TokenTree::Group(group)) = trees.get(at + 1)
                        && group.delimiter() == Delimiter::Bracket
                    {
                        attributes.push(group.stream());
                        self.read(group.stream(), module, in_tests);
                        at += 2;
                        continue;
                    }
                }
                TokenTree::Punct(punct) if matches!(punct.as_char(), ';' | ',') => attributes.clear(),
                TokenTree::Group(group) => {
                    self.read(group.stream(), module, for_tests);
                    if group.delimiter() == Delimiter::Brace {
                        attributes.clear();
                    }
                }
                TokenTree::Ident(word) => {
                    self.word(word, for_tests);
                    at = self.item(&trees, at, word, module, for_tests, &attributes);
                    if matches!(trees.get(at - 1), Some(TokenTree::Group(body)) if body.delimiter() == Delimiter::Brace)
                    {
                        attributes.clear();
                    }
                    continue;
                }
                _ => {}
            }
            at += 1;
        }
    }

    /// Reads what begins with this word; returns where to go on.
    fn item(
        &mut self,
        trees: &[TokenTree],
        at: usize,
        word: &Ident,
        module: &[String],
        in_tests: bool,
        attributes: &[TokenStream],
    ) -> usize {
        let name = word.to_string();
        match (name.as_str(), trees.get(at + 1), trees.get(at + 2)) {
            ("mod", Some(TokenTree::Ident(child)), Some(TokenTree::Group(body))) => {
                let inner: Vec<String> = module.iter().cloned().chain([child.to_string()]).collect();
                self.read(body.stream(), &inner, in_tests);
                return at + 3;
            }
            ("mod", Some(TokenTree::Ident(child)), _) => {
                let file = attributes.iter().find_map(path_attribute);
                self.children.push(Child { name: child.to_string(), file, in_tests });
            }
            ("use", ..) => {
                let end = (at..trees.len()).find(|&end| is_punct(trees.get(end), ';')).unwrap_or(trees.len());
                let line = word.span().start().line;
                self.use_tree(trees.get(at + 1..end).unwrap_or_default(), &[], module, line, in_tests);
                return end;
            }
            ("fn", Some(TokenTree::Ident(test)), _) => {
                let written: Vec<String> = attributes.iter().map(ToString::to_string).collect();
                if written.iter().any(|attribute| attribute == "test" || attribute.contains(":: test")) {
                    let line = test.span().start().line;
                    self.tests.push(Test { name: test.to_string(), line, attributes: written });
                }
            }
            ("feature", Some(TokenTree::Punct(equals)), Some(TokenTree::Literal(value))) if equals.as_char() == '=' => {
                let value = value.to_string().trim_matches('"').to_owned();
                self.features.push((value, word.span().start().line));
            }
            _ if is_path(trees, at + 1) => {
                let mut segments = vec![name];
                let mut end = at + 1;
                while is_path(trees, end)
                    && let Some(TokenTree::Ident(next)) = trees.get(end + 2)
                {
                    self.word(next, in_tests);
                    segments.push(next.to_string());
                    end += 3;
                }
                self.path(segments, module, word.span().start().line, in_tests);
                return end;
            }
            _ => {}
        }
        at + 1
    }

    /// `a::{b, c::d as e, f::*}` becomes a path for each leaf.
    fn use_tree(&mut self, trees: &[TokenTree], before: &[String], module: &[String], line: usize, in_tests: bool) {
        for branch in trees.split(|tree| is_punct(Some(tree), ',')) {
            let mut segments = before.to_vec();
            let mut leaf = false;
            for tree in branch {
                match tree {
                    TokenTree::Ident(word) if word == "as" => break,
                    TokenTree::Ident(word) if word == "self" && !segments.is_empty() => leaf = true,
                    TokenTree::Ident(word) => {
                        self.word(word, in_tests);
                        segments.push(word.to_string());
                        leaf = true;
                    }
                    TokenTree::Group(group) => {
                        let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                        self.use_tree(&inner, &segments, module, line, in_tests);
                        leaf = false;
                    }
                    _ => {}
                }
            }
            if leaf {
                self.path(segments, module, line, in_tests);
            }
        }
    }

    fn path(&mut self, segments: Vec<String>, module: &[String], line: usize, in_tests: bool) {
        let own = matches!(segments.first().map(String::as_str), Some("crate" | "super" | "self"));
        let (segments, kind) =
            if own { (from_root(&segments, module), PathKind::Own) } else { (segments, PathKind::Named) };
        self.paths.push(Path { segments, kind, line, in_tests });
    }

    fn word(&mut self, word: &Ident, in_tests: bool) {
        self.words.push(Word { text: word.to_string(), line: word.span().start().line, in_tests });
    }
}

/// `src/engine/ports.rs` is `engine::ports`, `src/engine/mod.rs` is `engine`, `src/lib.rs` is the root.
fn module_of(file: &str) -> Vec<String> {
    let inside = file.strip_prefix("src/").unwrap_or(file).trim_end_matches(".rs");
    let mut parts: Vec<String> = inside.split('/').map(str::to_owned).collect();
    if parts.last().is_some_and(|last| last == "mod" || last == "lib" || last == "main") {
        parts.pop();
    }
    parts
}

fn from_root(written: &[String], module: &[String]) -> Vec<String> {
    let mut at = module.to_vec();
    let mut rest = written;
    while let [first, others @ ..] = rest {
        match first.as_str() {
            "crate" => at.clear(),
            "self" => {}
            "super" => drop(at.pop()),
            _ => break,
        }
        rest = others;
    }
    at.extend(rest.iter().cloned());
    at
}

fn is_punct(tree: Option<&TokenTree>, expected: char) -> bool {
    matches!(tree, Some(TokenTree::Punct(punct)) if punct.as_char() == expected)
}

/// Whether `::` begins at this place.
fn is_path(trees: &[TokenTree], at: usize) -> bool {
    let joint = matches!(trees.get(at), Some(TokenTree::Punct(first)) if first.spacing() == Spacing::Joint);
    joint && is_punct(trees.get(at), ':') && is_punct(trees.get(at + 1), ':')
}

fn is_cfg_test(attribute: &TokenStream) -> bool {
    let written = attribute.to_string().replace(' ', "");
    written == "cfg(test)" || written.starts_with("cfg(all(test")
}

fn path_attribute(attribute: &TokenStream) -> Option<String> {
    let written = attribute.to_string();
    let value = written.strip_prefix("path")?.trim().strip_prefix('=')?;
    Some(value.trim().trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(text: &str) -> Vec<String> {
        let source = Source::parse("src/engine/ports.rs", text, false);
        source.paths.into_iter().map(|path| path.segments.join("::")).collect()
    }

    #[test]
    fn every_leaf_of_a_use_is_a_path_of_its_own() {
        let found = paths("use crate::{model::{Run, Ticket as T}, storage::*}; use serde::Serialize;");
        assert_eq!(found, ["model::Run", "model::Ticket", "storage", "serde::Serialize"]);
    }

    #[test]
    fn relative_paths_are_followed_to_the_root() {
        let found = paths("use super::rows; use self::inner::X; mod a { use super::super::super::http::Y; }");
        assert_eq!(found, ["engine::rows", "engine::ports::inner::X", "http::Y"]);
    }

    #[test]
    fn paths_in_the_midst_of_code_are_seen() {
        assert_eq!(paths("fn f() { g(crate::http::h(), std::mem::take(x)); }"), ["http::h", "std::mem::take"]);
        assert_eq!(paths("struct S<T: crate::azure::A>(T);"), ["azure::A"]);
        assert_eq!(paths("m!(crate::git::G);"), ["git::G"]);
    }

    #[test]
    fn comments_and_strings_are_no_code() {
        let text = "//! crate::http::a\n/* crate::git::b */ const A: &str = \"crate::azure::c\"; // crate::app::d\n\
                    const B: &str = r#\"crate::dev::e\"#; const C: char = '\"';";
        assert!(paths(text).is_empty(), "{:?}", paths(text));
    }

    #[test]
    fn code_that_is_compiled_for_tests_alone_is_told_apart() {
        let source = Source::parse(
            "src/engine/ports.rs",
            "use a::B; #[cfg(test)] mod tests { use c::D; fn f() { e::g() } } use h::I; #[cfg(test)] use j::K; use l::M;",
            false,
        );
        let seen: Vec<(String, bool)> =
            source.paths.iter().map(|path| (path.segments.join("::"), path.in_tests)).collect();
        let expected =
            [("a::B", false), ("c::D", true), ("e::g", true), ("h::I", false), ("j::K", true), ("l::M", false)];
        assert_eq!(seen, expected.map(|(path, in_tests)| (path.to_owned(), in_tests)));
    }

    #[test]
    fn modules_in_other_files_are_listed_with_where_they_are() {
        let source = Source::parse("src/engine/a.rs", "mod b; #[cfg(test)] #[path = \"a_tests.rs\"] mod tests;", false);
        let child = |name: &str, file: Option<&str>, in_tests| Child {
            name: name.to_owned(),
            file: file.map(str::to_owned),
            in_tests,
        };
        assert_eq!(source.children, [child("b", None, false), child("tests", Some("a_tests.rs"), true)]);
    }

    #[test]
    fn tests_are_found_with_their_attributes() {
        let source = Source::parse(
            "tests/a.rs",
            "#[test] fn one() {} #[tokio::test(start_paused = true)] #[ignore] async fn two() {} fn three() {}",
            true,
        );
        let names: Vec<&str> = source.tests.iter().map(|test| test.name.as_str()).collect();
        assert_eq!(names, ["one", "two"]);
        assert!(source.tests[1].attributes.contains(&"ignore".to_owned()));
    }

    #[test]
    fn a_feature_is_seen_wherever_it_is_asked_for() {
        let text = "#[cfg(feature = \"dev\")] mod a; fn f() -> bool { cfg!(feature = \"dev\") }";
        assert_eq!(Source::parse("src/x.rs", text, false).features.len(), 2);
    }
}
