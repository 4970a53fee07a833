//! Whether modules are given what they declare, and asked for what they put out.

use super::bicep::{Expression, File, Module};
use super::{Infrastructure, MAIN};

pub fn faults(infrastructure: &Infrastructure) -> Vec<String> {
    let mut faults = Vec::new();
    for file in &infrastructure.files {
        for module in &file.modules {
            match infrastructure.module(file, &module.what) {
                Some(target) => faults.extend(given(file, module, target)),
                None => {
                    faults.push(format!("{}: the module {} leads to no file {}", file.path, module.name, module.what))
                }
            }
        }
        for expression in file.expressions().into_iter().flat_map(Expression::all) {
            faults.extend(asked(infrastructure, file, expression));
            faults.extend(loaded(infrastructure, file, expression));
        }
        if file.path != MAIN {
            faults.extend(in_vain(infrastructure, file));
        }
    }
    for parameters in &infrastructure.parameters {
        let names: Vec<_> = parameters.variables.iter().map(|(name, _)| name.clone()).collect();
        faults.extend(complete(&parameters.path, &names, infrastructure.file(MAIN)));
    }
    faults
}

/// A call of a module passes every parameter that has no default, and none that is not declared.
fn given(file: &File, module: &Module, target: &File) -> Vec<String> {
    let passed = match module.body.property("params") {
        Some(Expression::Object(properties)) => properties.iter().filter_map(|(key, _)| key.as_text()).collect(),
        _ => Vec::new(),
    };
    complete(&format!("{}: the module {}", file.path, module.name), &passed, target)
}

fn complete(who: &str, passed: &[String], target: &File) -> Vec<String> {
    let declared = |name: &String| target.parameters.iter().any(|parameter| parameter.name == *name);
    let strange = passed.iter().filter(|name| !declared(name));
    let strange = strange.map(|name| format!("{who} passes {name}, which {} does not declare", target.path));
    let needed = target.parameters.iter().filter(|parameter| parameter.default.is_none());
    let missing = needed.filter(|parameter| !passed.contains(&parameter.name));
    let missing =
        missing.map(|parameter| format!("{who} does not pass {}, which {} needs", parameter.name, target.path));
    strange.chain(missing).collect()
}

/// `module.outputs.name` names an output that is there.
fn asked(infrastructure: &Infrastructure, file: &File, expression: &Expression) -> Option<String> {
    let (module, output) = output_of(expression)?;
    let module = file.modules.iter().find(|known| known.name == module)?;
    let target = infrastructure.module(file, &module.what)?;
    let there = target.outputs.iter().any(|known| known.name == output);
    (!there).then(|| format!("{}: {} puts out no {output}", file.path, target.path))
}

fn output_of(expression: &Expression) -> Option<(&str, &str)> {
    let Expression::Member(outputs, output) = expression else { return None };
    let Expression::Member(module, word) = outputs.as_ref() else { return None };
    let Expression::Name(module) = module.as_ref() else { return None };
    (word == "outputs").then_some((module.as_str(), output.as_str()))
}

/// A file that is loaded is there.
fn loaded(infrastructure: &Infrastructure, file: &File, expression: &Expression) -> Option<String> {
    let Expression::Call(function, arguments) = expression else { return None };
    let loads = ["loadTextContent", "loadJsonContent"].map(Expression::name).contains(function);
    let path = arguments.first().filter(|_| loads)?.as_text()?;
    let whole = std::path::Path::new(&file.path).parent()?.join(&path);
    let there = infrastructure.root.join(whole).is_file();
    (!there).then(|| format!("{}: there is no file {path} to load", file.path))
}

/// What a module puts out is asked for by somebody.
fn in_vain(infrastructure: &Infrastructure, file: &File) -> Vec<String> {
    let asks = |from: &File, name: &str| {
        let ours = |module: &str| {
            let module = from.modules.iter().find(|known| known.name == module);
            module
                .and_then(|module| infrastructure.module(from, &module.what))
                .is_some_and(|target| target.path == file.path)
        };
        let mut asked = from.expressions().into_iter().flat_map(Expression::all).filter_map(output_of);
        asked.any(|(module, output)| output == name && ours(module))
    };
    let unused = file.outputs.iter().filter(|output| !infrastructure.files.iter().any(|from| asks(from, &output.name)));
    unused.map(|output| format!("{}: nobody asks for the output {}", file.path, output.name)).collect()
}
