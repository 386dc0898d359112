//! The modules of `src/sandbox`: none depends on itself by way
//! of others, and only the services and the start know `Azure`.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::Source;
use crate::sources;

/// The modules of `src/sandbox` that may name the state of all services.
const KNOW_AZURE: [&str; 2] = ["service", "start"];

/// The modules that each module names, by name.
type Graph = BTreeMap<String, BTreeSet<String>>;

/// A folder of modules.
struct Folder {
    /// The path from the crate on.
    path: Vec<String>,
    /// The names of the modules one level below.
    modules: BTreeSet<String>,
    files: Vec<ModuleFile>,
}

/// A file without its comments and tests.
struct ModuleFile {
    /// The path of the module from the crate on.
    module: Vec<String>,
    name: String,
    code: String,
}

impl ModuleFile {
    fn of(source: &Source) -> Self {
        let lines = source.product_lines().into_iter().map(|(_, line)| line);
        let code: Vec<_> = lines.filter(|line| !line.trim_start().starts_with("//")).collect();
        let parts = source.path.trim_start_matches("src/").trim_end_matches(".rs").split('/');
        Self {
            module: parts.filter(|part| *part != "mod").map(str::to_owned).collect(),
            name: source.path.clone(),
            code: code.join("\n"),
        }
    }

    /// Returns true if the file names the type, or imports everything that the services have.
    fn names_azure(&self) -> bool {
        paths(self).iter().any(|path| match path.last().map(String::as_str) {
            Some("Azure") => true,
            Some("*") => path.iter().any(|module| module == "service"),
            Some(_) | None => false,
        })
    }
}

impl Folder {
    /// Reads a folder of `src` with its subfolders.
    fn read(path: &str) -> Self {
        let path: Vec<_> = path.split('/').map(str::to_owned).collect();
        let sources = sources(&format!("src/{}", path.join("/")));
        let files: Vec<_> = sources.iter().filter(|source| !source.is_test()).map(ModuleFile::of).collect();
        let modules = files.iter().filter_map(|file| file.module.get(path.len())).cloned().collect();
        Self { path, modules, files }
    }

    /// Returns the modules one level below the folder, each with those that its files name.
    fn graph(&self) -> Graph {
        let mut graph = Graph::new();
        for file in &self.files {
            let Some(own) = file.module.get(self.path.len()) else { continue };
            let named = paths(file).into_iter().filter_map(|path| self.module_in(&path));
            let others = named.filter(|module| module != own);
            graph.entry(own.clone()).or_default().extend(others);
        }
        graph
    }

    /// Returns the module of this folder that a path leads into.
    fn module_in(&self, path: &[String]) -> Option<String> {
        let below = path.strip_prefix(self.path.as_slice())?;
        below.first().filter(|module| self.modules.contains(*module)).cloned()
    }

    /// Returns true for a path to what the folder's `mod.rs` has; `pub(in crate::sandbox)` names nothing of it.
    fn is_in_root(&self, path: &[String]) -> bool {
        path.len() > self.path.len() && path.starts_with(&self.path) && self.module_in(path).is_none()
    }

    /// Returns the paths by which modules name what the folder's `mod.rs` has, which stands above them all.
    fn names_of_the_root(&self) -> Vec<String> {
        let below = self.files.iter().filter(|file| file.module.len() > self.path.len());
        let named = below.flat_map(|file| paths(file).into_iter().map(move |path| (&file.name, path)));
        named
            .filter(|(_, path)| self.is_in_root(path))
            .map(|(name, path)| format!("{name}: {}", path.join("::")))
            .collect()
    }
}

/// Returns every path in a file's code that begins with `crate`, `super` or `self`, from the crate on. Groups
/// (`a::{b, c}`) come out as one path each.
fn paths(file: &ModuleFile) -> Vec<Vec<String>> {
    let tokens = tokens(&file.code);
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let is_first = at.checked_sub(1).and_then(|before| tokens.get(before)) != Some(&"::");
        let follows = tokens.get(at + 1) == Some(&"::");
        let base = match *token {
            "crate" => Some(Vec::new()),
            "self" => Some(file.module.clone()),
            "super" => Some(parent(&file.module)),
            _ => None,
        };
        if let Some(base) = base.filter(|_| is_first && follows) {
            collect(&tokens, at + 2, &base, &mut found);
        }
    }
    found
}

/// Reads the path, or the group of paths, that begins at this token; returns where it ends.
fn collect(tokens: &[&str], at: usize, base: &[String], found: &mut Vec<Vec<String>>) -> usize {
    let token = tokens.get(at).copied().unwrap_or_default();
    let path = match token {
        "{" => return collect_group(tokens, at + 1, base, found),
        "super" => parent(base),
        "self" => base.to_vec(),
        name => [base, &[name.to_owned()]].concat(),
    };
    if tokens.get(at + 1) == Some(&"::") {
        return collect(tokens, at + 2, &path, found);
    }
    found.push(path);
    at + 1
}

/// Reads the paths of a group up to its closing brace; returns where it ends.
fn collect_group(tokens: &[&str], mut at: usize, base: &[String], found: &mut Vec<Vec<String>>) -> usize {
    while let Some(token) = tokens.get(at).copied() {
        match token {
            "}" => return at + 1,
            "," => at += 1,
            // `as` and the other name.
            "as" => at += 2,
            _ => at = collect(tokens, at, base, found),
        }
    }
    at
}

fn parent(module: &[String]) -> Vec<String> {
    module.split_last().map(|(_, parent)| parent.to_vec()).unwrap_or_default()
}

/// Returns the words of some code, its `::`, and each other character by itself.
fn tokens(code: &str) -> Vec<&str> {
    let mut rest = code;
    let mut found = Vec::new();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            ':' if rest.starts_with("::") => 2,
            _ if is_part(first) => rest.find(|character| !is_part(character)).unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        found.extend(Some(token).filter(|token| !token.trim().is_empty()));
        rest = after;
    }
    found
}

fn is_part(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

/// Returns a cycle of modules, each of which names the next one, if there is any.
fn cycle(graph: &Graph) -> Option<Vec<String>> {
    let mut left = graph.clone();
    // A module that names none of those left is part of no cycle.
    while let Some(free) = left.iter().find(|(_, named)| !named.iter().any(|other| left.contains_key(other)))
    {
        let free = free.0.clone();
        left.remove(&free);
    }
    let mut walk = vec![left.keys().next()?.clone()];
    loop {
        let named = left.get(walk.last()?)?;
        let next = named.iter().find(|other| left.contains_key(*other))?.clone();
        if let Some(start) = walk.iter().position(|module| *module == next) {
            walk.push(next);
            return Some(walk.split_off(start));
        }
        walk.push(next);
    }
}

/// Returns the sandbox's folder and those below it, as paths under `src`.
fn folders() -> BTreeSet<String> {
    let sandbox = Folder::read("sandbox");
    let parents = sandbox
        .files
        .iter()
        .flat_map(|file| (1..file.module.len()).map(|depth| file.module.split_at(depth).0));
    parents.map(|parent| parent.join("/")).collect()
}

/// No module of the sandbox depends on itself by way of other modules.
#[test]
fn sandbox_modules_form_no_cycle() {
    let folders = folders();
    assert!(folders.contains("sandbox") && folders.contains("sandbox/service/graph"), "{folders:?}");
    for path in folders {
        let found = cycle(&Folder::read(&path).graph()).map(|cycle| cycle.join(" → "));
        assert_eq!(found, None, "src/{path} has a cycle");
    }
}

/// No module of the sandbox names an item by way of the root module; it names the module that has the item.
#[test]
fn sandbox_modules_never_name_root_items() {
    let found = Folder::read("sandbox").names_of_the_root();
    assert!(found.is_empty(), "name the module itself:\n{}", found.join("\n"));
}

/// In the sandbox, only the modules `service` and `start` name `Azure`, the state of all services.
#[test]
fn only_services_and_start_name_azure() {
    let folder = Folder::read("sandbox");
    let mut knowing = BTreeSet::new();
    for file in folder.files.iter().filter(|file| file.names_azure()) {
        let module = file.module.get(folder.path.len()).map_or("mod", String::as_str);
        assert!(KNOW_AZURE.contains(&module), "{} names Azure", file.name);
        knowing.insert(module);
    }
    assert_eq!(Vec::from_iter(knowing), KNOW_AZURE, "the test looks for a name that is gone");
}

#[test]
fn a_planted_cycle_is_found() {
    let graph = |edges: &[(&str, &str)]| {
        let mut graph = Graph::new();
        for (from, to) in edges {
            graph.entry((*from).to_owned()).or_default().insert((*to).to_owned());
            graph.entry((*to).to_owned()).or_default();
        }
        graph
    };
    assert_eq!(cycle(&graph(&[("a", "b"), ("b", "c"), ("a", "c")])), None);
    let found = cycle(&graph(&[("top", "a"), ("a", "b"), ("b", "c"), ("c", "a"), ("c", "low")]));
    assert_eq!(found.expect("a cycle"), ["a", "b", "c", "a"]);
}

#[test]
fn paths_are_read_from_the_crate_on() {
    let read = |path: &str, text: &str| {
        let file = ModuleFile::of(&Source { path: path.to_owned(), text: text.to_owned() });
        paths(&file).into_iter().map(|path| path.join("::")).collect::<Vec<_>>()
    };
    let group = "use super::model::{Model, seed::{self, Seed as S}};";
    let members = ["sandbox::model::Model", "sandbox::model::seed", "sandbox::model::seed::Seed"];
    assert_eq!(read("src/sandbox/clock.rs", group), members);
    let up = "use super::super::c; fn f() { crate::d::e() }";
    assert_eq!(read("src/sandbox/a/b.rs", up), ["sandbox::c", "d::e"]);
    let others = "// crate::no\nuse self::b::C;\nlet x = self.super_d;\nother::crate_e();";
    assert_eq!(read("src/sandbox/a/mod.rs", others), ["sandbox::a::b::C"]);
    let tests = "#[cfg(test)]\nmod tests;\n#[cfg(test)]\nmod more {\n    use crate::b;\n}\nuse crate::c;\n";
    assert_eq!(read("src/a.rs", tests), ["c"]);
}
