//! The section `gpu`.

use super::super::node::Value;
use super::{Check, Place};

impl Check<'_> {
    pub(super) fn gpu(&mut self) {
        let place = Place::of(&["gpu"]).key("cuda");
        let Some(cuda) = &self.config.gpu.cuda else { return };
        if !is_major_minor(cuda) {
            let hint = match cuda.split('.').collect::<Vec<_>>().as_slice() {
                [major, minor, ..] if is_number(major) && is_number(minor) => format!("write \"{major}.{minor}\""),
                [major] if is_number(major) => format!("write \"{major}.0\", or whichever is needed"),
                _ => "write it as in \"12.9\"".to_owned(),
            };
            self.error(&place, "expected a CUDA version, MAJOR.MINOR").hint(hint);
            return;
        }
        let plain = self.tree.get(&place.0).is_some_and(|node| match &node.value {
            Value::Scalar(scalar) => scalar.plain && !scalar.expanded,
            _ => false,
        });
        if plain && cuda.ends_with('0') && !cuda.ends_with(".0") {
            self.warning(&place, "other programs that read this take it for a number, without the 0 at its end")
                .hint(format!("quote it: \"{cuda}\""));
        }
    }
}

fn is_number(text: &str) -> bool {
    (1..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_major_minor(text: &str) -> bool {
    text.split_once('.').is_some_and(|(major, minor)| is_number(major) && is_number(minor))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{found_with_hints, good};

    #[test]
    fn a_cuda_version_has_two_numbers() {
        good("gpu: {cuda: \"12.9\", on_mismatch: disable}");
        good("gpu: {cuda: 12.9}");
        good("gpu: {cuda: '12.10', on_mismatch: fail}");
        good("gpu: {on_mismatch: warn}");
        for (text, hint) in [
            ("12", "write \"12.0\", or whichever is needed"),
            ("'12'", "write \"12.0\", or whichever is needed"),
            ("12.9.1", "write \"12.9\""),
            ("latest", "write it as in \"12.9\""),
            ("\">=12.9\"", "write it as in \"12.9\""),
            ("12.", "write it as in \"12.9\""),
            ("''", "write it as in \"12.9\""),
            ("99999999999.1", "write it as in \"12.9\""),
        ] {
            let expected = format!("2:9 `gpu.cuda`: expected a CUDA version, MAJOR.MINOR ({hint})");
            assert_eq!(found_with_hints(&format!("gpu:\n  cuda: {text}\n")), [expected], "{text}");
        }
    }

    #[test]
    fn a_zero_at_the_end_is_quoted() {
        let expected = "?1:13 `gpu.cuda`: other programs that read this take it for a number, without the 0 at its end \
                        (quote it: \"12.10\")";
        assert_eq!(found_with_hints("gpu: {cuda: 12.10}"), [expected]);
        good("gpu: {cuda: 13.0}");
    }
}
