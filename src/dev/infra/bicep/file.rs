//! What a Bicep file declares.

use std::path::Path;

use tree_sitter::Node;

use super::convert::{children, expression, parse, text};
use super::expression::Expression;

pub struct Parameter {
    pub name: String,
    pub kind: String,
    pub default: Option<Expression>,
    pub description: Option<String>,
    /// What `@allowed` says.
    pub allowed: Option<Expression>,
}

/// What a declaration is repeated over.
pub struct Loop {
    pub names: Vec<String>,
    pub over: Expression,
}

/// What resources and modules have in common.
pub struct Declared {
    pub name: String,
    /// `type@api-version` of a resource, the path of a module.
    pub what: String,
    pub condition: Option<Expression>,
    pub each: Option<Loop>,
    pub body: Expression,
}

pub struct Resource {
    pub declared: Declared,
    pub existing: bool,
}

pub type Module = Declared;

pub struct Output {
    pub name: String,
    pub value: Expression,
    pub description: Option<String>,
}

pub struct File {
    /// Relative to the repository's root, with slashes.
    pub path: String,
    /// How many nodes the grammar found.
    pub nodes: usize,
    pub parameters: Vec<Parameter>,
    pub variables: Vec<(String, Expression)>,
    pub resources: Vec<Resource>,
    pub modules: Vec<Module>,
    pub outputs: Vec<Output>,
}

impl File {
    /// # Errors
    /// Every place that the grammar does not know, or that is not read here.
    pub fn parse(path: &str, source: &str) -> Result<Self, Vec<String>> {
        // The grammar knows no assignment of a parameter; as a variable it reads the same.
        let assigns = Path::new(path).extension().is_some_and(|extension| extension == "bicepparam");
        let source = &if assigns { source.replace("\nparam ", "\nvar ") } else { source.to_owned() };
        let tree = parse(source);
        let mut file = Self {
            path: path.to_owned(),
            nodes: 0,
            parameters: Vec::new(),
            variables: Vec::new(),
            resources: Vec::new(),
            modules: Vec::new(),
            outputs: Vec::new(),
        };
        let mut faults = Vec::new();
        file.count(tree.root_node(), &mut faults);
        if !faults.is_empty() {
            return Err(faults);
        }
        let mut decorators = Vec::new();
        for node in children(tree.root_node()) {
            if node.kind() == "decorators" {
                decorators = children(node);
            } else if let Err(fault) = file.declare(node, &std::mem::take(&mut decorators), source) {
                faults.push(format!("{path}: {fault}"));
            }
        }
        if faults.is_empty() { Ok(file) } else { Err(faults) }
    }

    fn count(&mut self, node: Node<'_>, faults: &mut Vec<String>) {
        self.nodes += 1;
        if node.is_error() || node.is_missing() {
            let line = node.start_position().row + 1;
            faults.push(format!("{}:{line}: this is no Bicep that the grammar knows", self.path));
        }
        let mut cursor = node.walk();
        for child in node.children(&mut cursor) {
            self.count(child, faults);
        }
    }

    fn declare(&mut self, node: Node<'_>, decorators: &[Node<'_>], source: &str) -> Result<(), String> {
        let parts = children(node);
        let said = |name: &str| decorated(decorators, name, source);
        let description = || Ok::<_, String>(said("description")?.and_then(|said| said.as_text()));
        match node.kind() {
            "parameter_declaration" => self.parameters.push(Parameter {
                name: text(parts[0], source).to_owned(),
                kind: text(parts[1], source).to_owned(),
                default: parts.get(2).map(|value| expression(*value, source)).transpose()?,
                description: description()?,
                allowed: said("allowed")?,
            }),
            "variable_declaration" => {
                self.variables.push((text(parts[0], source).to_owned(), expression(parts[1], source)?));
            }
            "resource_declaration" => self.resource(node, source)?,
            "module_declaration" => self.modules.push(declared(node, source)?),
            "output_declaration" => self.outputs.push(Output {
                name: text(parts[0], source).to_owned(),
                value: expression(parts[2], source)?,
                description: description()?,
            }),
            "target_scope_assignment" | "using_statement" => {}
            other => return Err(format!("line {}: nothing is known of a {other}", node.start_position().row + 1)),
        }
        Ok(())
    }

    /// It and the resources that are written into it.
    fn resource(&mut self, node: Node<'_>, source: &str) -> Result<(), String> {
        let declared = declared(node, source)?;
        let mut cursor = node.walk();
        let existing = node.children(&mut cursor).any(|child| child.kind() == "existing");
        self.resources.push(Resource { declared, existing });
        for body in children(node).into_iter().filter(|child| child.kind() == "object") {
            for property in children(body) {
                for nested in children(property).into_iter().filter(|child| child.kind() == "resource_declaration") {
                    self.resource(nested, source)?;
                }
            }
        }
        Ok(())
    }

    /// Every expression in the file.
    pub fn expressions(&self) -> Vec<&Expression> {
        let parameters =
            self.parameters.iter().flat_map(|parameter| parameter.default.iter().chain(&parameter.allowed));
        let declared = self.resources.iter().map(|resource| &resource.declared).chain(&self.modules);
        let declared = declared.flat_map(|one| {
            let over = one.each.iter().map(|each| &each.over);
            one.condition.iter().chain(over).chain([&one.body])
        });
        let variables = self.variables.iter().map(|(_, value)| value);
        let outputs = self.outputs.iter().map(|output| &output.value);
        parameters.chain(variables).chain(declared).chain(outputs).collect()
    }

    /// The resources of a type, whatever their version.
    pub fn of_type(&self, kind: &str) -> impl Iterator<Item = &Resource> {
        self.resources.iter().filter(move |resource| resource.declared.what.split('@').next() == Some(kind))
    }

    pub fn variable(&self, name: &str) -> Option<&Expression> {
        self.variables.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }
}

/// The argument of a decorator.
fn decorated(decorators: &[Node<'_>], name: &str, source: &str) -> Result<Option<Expression>, String> {
    for decorator in decorators {
        if let Expression::Call(function, arguments) = expression(children(*decorator)[0], source)?
            && *function == Expression::name(name)
        {
            return Ok(arguments.into_iter().next());
        }
    }
    Ok(None)
}

fn declared(node: Node<'_>, source: &str) -> Result<Declared, String> {
    let parts = children(node);
    let (mut condition, mut each) = (None, None);
    let body = parts[2];
    let body = match body.kind() {
        "if_statement" => {
            let inside = children(body);
            condition = Some(expression(inside[0], source)?);
            expression(inside[1], source)?
        }
        _ => match expression(body, source)? {
            Expression::For(names, over, body) => {
                each = Some(Loop { names, over: *over });
                *body
            }
            object => object,
        },
    };
    let what = expression(parts[1], source)?.as_text().unwrap_or_default();
    Ok(Declared { name: text(parts[0], source).to_owned(), what, condition, each, body })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(value: &str) -> Expression {
        File::parse("x.bicep", &format!("var x = {value}\n")).unwrap().variables.remove(0).1
    }

    fn of(name: &str, member: &str) -> Expression {
        Expression::Member(Box::new(Expression::name(name)), member.to_owned())
    }

    #[test]
    fn a_lambda_reaches_as_far_as_it_can() {
        let Expression::Call(_, arguments) = variable("map(a, b => b.c)") else { panic!("this is a call") };
        assert_eq!(arguments[1], Expression::Lambda("b".to_owned(), Box::new(of("b", "c"))));
        let Expression::Call(_, arguments) = variable("filter(a, b => f(b.c) && b.d == 'x')") else { panic!() };
        let Expression::Lambda(_, body) = &arguments[1] else { panic!("{:?}", arguments[1]) };
        let Expression::Binary(operator, left, right) = body.as_ref() else { panic!("{body:?}") };
        assert_eq!(
            (operator.as_str(), left.as_ref()),
            ("&&", &Expression::Call(Box::new(Expression::name("f")), vec![of("b", "c")]))
        );
        assert_eq!(
            **right,
            Expression::Binary("==".to_owned(), Box::new(of("b", "d")), Box::new(Expression::text("x")))
        );
    }

    #[test]
    fn a_text_keeps_its_quotes_and_its_holes() {
        assert_eq!(variable("'an \\'x\\' in it'"), Expression::text("an 'x' in it"));
        assert_eq!(variable("''"), Expression::text(""));
        assert_eq!(variable("'a-${b}'").free_names(), ["b"]);
    }

    #[test]
    fn a_name_that_a_loop_or_a_lambda_binds_is_not_free() {
        assert_eq!(variable("[for a in b: '${a}-${c}']").free_names(), ["b", "c"]);
        assert_eq!(variable("map(b, a => concat(a, d))").free_names(), ["b", "d"]);
    }

    #[test]
    fn a_resource_in_a_resource_is_a_declaration_and_no_property() {
        let text = "resource a 'A.B/c@1' = {\n  name: 'x'\n  resource d 'e' existing = {\n    name: 'y'\n  }\n}\n";
        let file = File::parse("x.bicep", text).unwrap();
        let found: Vec<_> = file.resources.iter().map(|one| (one.declared.name.as_str(), one.existing)).collect();
        assert_eq!(found, [("a", false), ("d", true)]);
        assert_eq!(file.resources[0].declared.body.property("name"), Some(&Expression::text("x")));
    }
}
