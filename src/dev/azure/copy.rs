//! COPY and ADD: whether the sources are there, in the words of docker's classic builder.

use globset::GlobBuilder;

use super::context::{Context, normal};

/// The error is docker's own line.
pub(super) fn check(keyword: &str, arguments: &[String], context: &Context) -> Result<(), String> {
    let Some((target, sources)) = arguments.split_last().filter(|(_, sources)| !sources.is_empty()) else {
        return Err(format!("{keyword} requires at least two arguments, but only one was provided"));
    };
    let mut found = 0;
    for source in sources {
        if keyword == "ADD" && (source.starts_with("http://") || source.starts_with("https://")) {
            found += 1;
            continue;
        }
        let Some(path) = normal(source) else {
            return Err(format!("{keyword} failed: forbidden path outside the build context: {source} ()"));
        };
        found +=
            if source.contains(['*', '?', '[']) { matching(&path, context) } else { literal(keyword, &path, context)? };
    }
    if found == 0 {
        return Err(format!("{keyword} failed: no source files were specified"));
    }
    if found > 1 && !target.ends_with('/') && target != "." && target != ".." {
        return Err(format!(
            "When using {keyword} with more than one source file, the destination must be a directory and end with a /"
        ));
    }
    Ok(())
}

fn literal(keyword: &str, path: &str, context: &Context) -> Result<usize, String> {
    if context.holds(path) {
        return Ok(1);
    }
    Err(format!(
        "{keyword} failed: file not found in build context or excluded by .dockerignore: stat {path}: file does not exist"
    ))
}

fn matching(pattern: &str, context: &Context) -> usize {
    let Ok(glob) = GlobBuilder::new(pattern).literal_separator(true).build() else { return 0 };
    let glob = glob.compile_matcher();
    context.paths().filter(|path| glob.is_match(path)).count()
}
