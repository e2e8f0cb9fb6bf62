//! Lays one file over another: mappings merge deeply, lists and scalars replace, null removes.

use super::node::{Entry, Map, Mark, Node, Value};
use super::problem::Finding;

/// Lays `over` over `base`. A null that removes nothing is worth a warning: it may be a misspelt name, or meant as
/// "with the usual settings".
pub(super) fn merge(base: &mut Map, over: Map, findings: &mut Vec<Finding>) {
    lay(base, over, &mut Vec::new(), findings);
}

fn lay(base: &mut Map, over: Map, path: &mut Vec<String>, findings: &mut Vec<Finding>) {
    for (name, entry) in over {
        path.push(name.clone());
        match entry.node.value {
            Value::Null => {
                if base.remove(&name).is_none() {
                    findings.push(removes_nothing(entry.key, path));
                }
            }
            Value::Map(map) => {
                let mut merged = match base.remove(&name) {
                    Some(Entry { node: Node { value: Value::Map(below), .. }, .. }) if !replaced_whole(path) => below,
                    _ => Map::new(),
                };
                lay(&mut merged, map, path, findings);
                let node = Node { mark: entry.node.mark, value: Value::Map(merged) };
                base.insert(name, Entry { key: entry.key, node });
            }
            _ => _ = base.insert(name, entry),
        }
        path.pop();
    }
}

/// Mappings that choose one of several forms: merged, they would choose two.
fn replaced_whole(path: &[String]) -> bool {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    matches!(
        path.as_slice(),
        ["users", _, "password"] | ["services", _, "ready" | "command"] | ["app", "ready" | "command"]
    )
}

fn removes_nothing(key: Mark, path: &[String]) -> Finding {
    let path = path.join(".");
    Finding::warning(key, format!("`{path}` is null, which removes it, and no file before this one has it"))
        .hint("write `{}` for an entry with the usual settings")
}

#[cfg(test)]
mod tests {
    use proptest::collection::btree_map;
    use proptest::prelude::*;

    use super::super::node::Scalar;
    use super::super::yaml;
    use super::*;

    fn map(text: &str, file: usize) -> Map {
        match yaml::parse(text.as_bytes(), file).0.unwrap().value {
            Value::Map(map) => map,
            other => panic!("{other:?}"),
        }
    }

    /// What a map holds, without the places.
    fn plain(map: &Map) -> String {
        fn show(node: &Node) -> String {
            match &node.value {
                Value::Null | Value::Pruned => "~".to_owned(),
                Value::Scalar(Scalar { text, .. }) => text.clone(),
                Value::List(items) => format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(",")),
                Value::Map(map) => plain(map),
            }
        }
        let entries: Vec<_> = map.iter().map(|(key, entry)| format!("{key}:{}", show(&entry.node))).collect();
        format!("{{{}}}", entries.join(","))
    }

    fn merged(files: &[&str]) -> (String, usize) {
        let (mut base, mut findings) = (map(files[0], 0), Vec::new());
        for (index, file) in files.iter().enumerate().skip(1) {
            merge(&mut base, map(file, index), &mut findings);
        }
        (plain(&base), findings.len())
    }

    #[test]
    fn mappings_merge_deeply_and_the_rest_is_replaced() {
        let (shown, warnings) = merged(&[
            "{ssh: {port: 22, listen: [a, b]}, path: [x]}",
            "{ssh: {listen: [c]}, app: {port: 1}}",
            "{ssh: {port: 23}, path: y}",
        ]);
        assert_eq!((shown.as_str(), warnings), ("{app:{port:1},path:y,ssh:{listen:[c],port:23}}", 0));
    }

    #[test]
    fn a_mapping_replaces_what_is_none_and_the_other_way_round() {
        assert_eq!(merged(&["{app: x}", "{app: {port: 1}}"]).0, "{app:{port:1}}");
        assert_eq!(merged(&["{app: {port: 1}}", "{app: x}"]).0, "{app:x}");
    }

    #[test]
    fn null_removes_at_any_depth() {
        let (shown, warnings) =
            merged(&["{users: {ubuntu: {uid: 1}, peid: {uid: 2, gid: 3}}}", "{users: {ubuntu: ~, peid: {gid: ~}}}"]);
        assert_eq!((shown.as_str(), warnings), ("{users:{peid:{uid:2}}}", 0));
    }

    #[test]
    fn null_that_removes_nothing_adds_nothing_and_is_warned_about() {
        assert_eq!(merged(&["{}", "{users: {ubnutu: ~}}"]), ("{users:{}}".to_owned(), 1));
        assert_eq!(merged(&["{users: {root: ~}}"]).0, "{users:{root:~}}", "in the first file it is a default");
    }

    #[test]
    fn a_choice_is_replaced_whole() {
        assert_eq!(
            merged(&["{users: {a: {uid: 1, password: {text: x}}}}", "{users: {a: {password: {file: /y}}}}"]).0,
            "{users:{a:{password:{file:/y},uid:1}}}"
        );
        assert_eq!(
            merged(&["{app: {ready: {tcp: 1, timeout: 1s}}}", "{app: {ready: {http: u}}}"]).0,
            "{app:{ready:{http:u}}}"
        );
        assert_eq!(
            merged(&["{services: {a: {ready: {tcp: 1}}}}", "{services: {a: {ready: {path: /x}}}}"]).0,
            "{services:{a:{ready:{path:/x}}}}"
        );
    }

    #[test]
    fn users_and_services_may_be_named_like_a_choice() {
        assert_eq!(
            merged(&[
                "{users: {password: {uid: 1}}, services: {ready: {user: a}}}",
                "{users: {password: {gid: 2}}, services: {ready: {directory: /}}}"
            ])
            .0,
            "{services:{ready:{directory:/,user:a}},users:{password:{gid:2,uid:1}}}"
        );
    }

    #[test]
    fn what_is_merged_remembers_its_own_file() {
        let mut base = map("{ssh: {port: 22, x: 1}}", 0);
        merge(&mut base, map("{ssh: {port: 23}}", 1), &mut Vec::new());
        let Value::Map(ssh) = &base["ssh"].node.value else { panic!() };
        assert_eq!((ssh["port"].node.mark.file, ssh["x"].node.mark.file), (1, 0));
    }

    prop_compose! {
        /// A file whose keys begin with `prefix`, two levels deep.
        fn file(prefix: &'static str)(
            entries in btree_map("[a-c]", btree_map("[a-c]", 0..9u8, 0..3), 0..3),
        ) -> String {
            let sections: Vec<_> = entries
                .iter()
                .map(|(key, inner)| {
                    let inner: Vec<_> = inner.iter().map(|(key, value)| format!("{prefix}{key}: {value}")).collect();
                    format!("{key}: {{{}}}", inner.join(", "))
                })
                .collect();
            format!("{{{}}}", sections.join(", "))
        }
    }

    proptest! {
        #[test]
        fn keys_of_their_own_merge_in_any_grouping_and_order(a in file("a"), b in file("b"), c in file("c")) {
            let left = merged(&[&a, &b, &c]).0;
            let mut right = map(&b, 1);
            merge(&mut right, map(&c, 2), &mut Vec::new());
            let mut base = map(&a, 0);
            merge(&mut base, right, &mut Vec::new());
            prop_assert_eq!(&left, &plain(&base));
            prop_assert_eq!(&left, &merged(&[&c, &a, &b]).0);
        }

        #[test]
        fn merging_twice_changes_nothing(a in file("x"), b in file("x")) {
            prop_assert_eq!(merged(&[&a, &b]).0, merged(&[&a, &b, &b]).0);
        }
    }
}
