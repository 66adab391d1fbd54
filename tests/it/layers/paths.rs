//! Every path that a source file names, resolved as far as the file alone allows: `use` trees,
//! types, calls, and what stands in the tokens of macros and attributes. What may name what is
//! left to the rules.

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use std::collections::HashMap;
use syn::visit::{self, Visit};
use syn::{Attribute, Item, Meta, UseTree};

/// A path as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    /// Its segments; `crate` first if it points into this crate, `name!` last if it is a macro's,
    /// `*` last for a glob.
    pub(crate) path: Vec<String>,
    /// Its line, from 1.
    pub(crate) line: usize,
    /// Whether it stands in code that only tests compile.
    pub(crate) test: bool,
}

/// A `mod name;` whose body is another file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Declared {
    /// Its path from the root, without `crate`.
    pub(crate) module: Vec<String>,
    /// Whether only tests compile it.
    pub(crate) test: bool,
}

/// What one file says.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// Every path.
    pub(crate) named: Vec<Named>,
    /// Every module in a file of its own.
    pub(crate) declared: Vec<Declared>,
}

/// Reads the source `text` of `module` (empty for the root). `test` says that only tests compile
/// it. `root` lists names that mean `crate` (a binary names its library by the package's name).
///
/// # Panics
///
/// If `text` is not Rust.
pub(crate) fn scan(text: &str, module: &[String], test: bool, root: &[&str]) -> Scan {
    let file = syn::parse_file(text).expect("the source parses");
    let mut aliases = Aliases {
        module: module.to_vec(),
        root,
        names: HashMap::new(),
    };
    aliases.visit_file(&file);
    let modules = file.items.iter().filter_map(|item| match item {
        Item::Mod(item) => Some(item.ident.to_string()),
        _ => None,
    });
    let mut walk = Walk {
        modules: modules.collect(),
        module: module.to_vec(),
        floor: module.len(),
        test,
        root,
        aliases: aliases.names,
        scan: Scan::default(),
    };
    walk.visit_file(&file);
    walk.scan
}

/// What `use` brings into scope: for each module of the file, name to path.
struct Aliases<'r> {
    module: Vec<String>,
    root: &'r [&'r str],
    names: HashMap<Vec<String>, HashMap<String, Vec<String>>>,
}

impl<'ast> Visit<'ast> for Aliases<'_> {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        flatten(&item.tree, &mut Vec::new(), &mut |path, name, _| {
            let path = anchor(path.to_vec(), &self.module, self.root);
            let scope = self.names.entry(self.module.clone()).or_default();
            scope.insert(name.to_owned(), path);
        });
    }
}

/// Calls `each` with the path, the name it gets and its place, for every leaf of a `use` tree.
fn flatten(tree: &UseTree, path: &mut Vec<String>, each: &mut dyn FnMut(&[String], &str, Span)) {
    let leaf = |ident: &syn::Ident, path: &mut Vec<String>| {
        if ident != "self" {
            path.push(ident.to_string());
        }
    };
    let depth = path.len();
    match tree {
        UseTree::Path(inner) => {
            path.push(inner.ident.to_string());
            flatten(&inner.tree, path, each);
        }
        UseTree::Name(name) => {
            leaf(&name.ident, path);
            let last = path.last().cloned().unwrap_or_default();
            each(path, &last, name.ident.span());
        }
        UseTree::Rename(rename) => {
            leaf(&rename.ident, path);
            each(path, &rename.rename.to_string(), rename.ident.span());
        }
        UseTree::Glob(glob) => {
            path.push("*".to_owned());
            each(path, "*", glob.star_token.spans[0]);
        }
        UseTree::Group(group) => {
            for tree in &group.items {
                flatten(tree, path, each);
            }
        }
    }
    path.truncate(depth);
}

/// `path` with `crate`, `self` and `super` at its front worked out.
fn anchor(mut path: Vec<String>, module: &[String], root: &[&str]) -> Vec<String> {
    let Some(first) = path.first().cloned() else {
        return path;
    };
    if root.contains(&first.as_str()) {
        path[0] = "crate".to_owned();
        return path;
    }
    if first != "self" && first != "super" {
        return path;
    }
    let mut base = module.to_vec();
    let mut rest = path.as_slice();
    while let Some((segment, tail)) = rest.split_first() {
        match segment.as_str() {
            "self" => {}
            "super" => drop(base.pop()),
            _ => break,
        }
        rest = tail;
    }
    let mut whole = vec!["crate".to_owned()];
    whole.extend(base);
    whole.extend_from_slice(rest);
    whole
}

struct Walk<'r> {
    /// The modules that the file declares at its outermost level.
    modules: Vec<String>,
    module: Vec<String>,
    /// How much of `module` is the file's own; what is beyond stands inline in it.
    floor: usize,
    test: bool,
    root: &'r [&'r str],
    aliases: HashMap<Vec<String>, HashMap<String, Vec<String>>>,
    scan: Scan,
}

impl Walk<'_> {
    fn name(&mut self, path: Vec<String>, span: Span) {
        let path = self.resolve(anchor(path, &self.module, self.root));
        self.scan.named.push(Named {
            path,
            line: span.start().line,
            test: self.test,
        });
    }

    /// `path` with a first segment that a `use` of this module, or of one around it, explains.
    fn resolve(&self, path: Vec<String>) -> Vec<String> {
        let Some((first, rest)) = path.split_first() else {
            return path;
        };
        let (bare, bang) = match first.strip_suffix('!') {
            Some(bare) => (bare, "!"),
            None => (first.as_str(), ""),
        };
        for depth in (self.floor..=self.module.len()).rev() {
            let scope = self.aliases.get(&self.module[..depth]);
            if let Some(target) = scope.and_then(|scope| scope.get(bare)) {
                let mut whole = target.clone();
                if let Some(last) = whole.last_mut() {
                    last.push_str(bang);
                }
                whole.extend_from_slice(rest);
                return whole;
            }
        }
        // Only in the root are the top-level modules in scope by their bare names.
        if self.module.is_empty() && self.modules.iter().any(|module| module == bare) {
            let mut whole = vec!["crate".to_owned()];
            whole.extend(path);
            return whole;
        }
        path
    }

    /// Finds paths in tokens that are not parsed: the insides of macros and attributes.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut chain: Vec<String> = Vec::new();
        let mut span = Span::call_site();
        let mut colons = 0;
        for token in tokens {
            match &token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.end_chain(&mut chain, span);
                    }
                    if chain.is_empty() {
                        span = ident.span();
                    }
                    chain.push(ident.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                TokenTree::Punct(punct) if punct.as_char() == '!' && colons == 0 => {
                    if let Some(last) = chain.last_mut() {
                        last.push('!');
                    }
                    self.end_chain(&mut chain, span);
                }
                TokenTree::Group(group) => {
                    let tree = colons == 2 && group.delimiter() == Delimiter::Brace;
                    if tree && !chain.is_empty() {
                        // `use crate::{…}` inside a macro: said as a whole, judged as a whole.
                        chain.push("*".to_owned());
                    }
                    self.end_chain(&mut chain, span);
                    self.tokens(group.stream());
                    colons = 0;
                }
                _ => {
                    self.end_chain(&mut chain, span);
                    colons = 0;
                }
            }
        }
        self.end_chain(&mut chain, span);
    }

    fn end_chain(&mut self, chain: &mut Vec<String>, span: Span) {
        let chain = std::mem::take(chain);
        if chain.len() > 1 || chain.first().is_some_and(|only| only.ends_with('!')) {
            self.name(chain, span);
        }
    }
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::Path(path) => path.is_ident("test"),
        Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string() == "test",
        Meta::NameValue(_) => false,
    })
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Mod(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        _ => &[],
    }
}

impl<'ast> Visit<'ast> for Walk<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        let outside = self.test;
        self.test |= is_test(attributes(item));
        visit::visit_item(self, item);
        self.test = outside;
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.module.push(item.ident.to_string());
        if item.content.is_none() {
            self.scan.declared.push(Declared {
                module: self.module.clone(),
                test: self.test,
            });
        }
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let mut leaves = Vec::new();
        flatten(&item.tree, &mut Vec::new(), &mut |path, _, span| {
            leaves.push((path.to_vec(), span));
        });
        for (path, span) in leaves {
            // The use itself explains its last name, so it is anchored, not resolved by itself.
            let path = anchor(path, &self.module, self.root);
            let path = match path.first().map(String::as_str) {
                Some("crate") => path,
                _ if path.len() > 1 => self.resolve(path),
                _ => path,
            };
            self.scan.named.push(Named {
                path,
                line: span.start().line,
                test: self.test,
            });
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<_> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        if segments.len() > 1 {
            self.name(segments, path.segments[0].ident.span());
        }
        visit::visit_path(self, path);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        self.scan.named.push(Named {
            path: vec![format!(".{}()", call.method)],
            line: call.method.span().start().line,
            test: self.test,
        });
        visit::visit_expr_method_call(self, call);
    }

    fn visit_macro(&mut self, mac: &'ast syn::Macro) {
        let mut segments: Vec<_> = mac
            .path
            .segments
            .iter()
            .map(|s| s.ident.to_string())
            .collect();
        if let Some(last) = segments.last_mut() {
            last.push('!');
        }
        self.name(segments, mac.path.segments[0].ident.span());
        self.tokens(mac.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        match &attribute.meta {
            // Documents may point upwards.
            Meta::NameValue(pair) if pair.path.is_ident("doc") => {}
            Meta::NameValue(pair) => self.visit_expr(&pair.value),
            Meta::List(list) => self.tokens(list.tokens.clone()),
            Meta::Path(_) => {}
        }
    }

    // `pub(super)` and its like name no dependency.
    fn visit_vis_restricted(&mut self, _: &'ast syn::VisRestricted) {}
}
