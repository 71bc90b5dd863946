//! What real Prometheus takes passes, and what it refuses is refused at the right place. The same
//! two lists are put to a real Prometheus by `tests/real/query.rs`.

use proptest::prelude::*;

use crate::metric::promql::*;

fn valid() -> impl Iterator<Item = &'static str> {
    include_str!("valid.promql").lines()
}

#[test]
fn what_prometheus_takes_passes() {
    for text in valid() {
        assert_eq!(check(text), Ok(()), "{text}");
    }
}

#[test]
fn every_beginning_of_a_good_expression_is_good() {
    for text in valid() {
        let found = tokens(text);
        for count in 1..found.len() {
            // The fault, if there is one, is that it ends.
            let fault = match parser::read(&found[..count]) {
                Err(Stop::Unexpected { token, .. }) => token,
                _ => count,
            };
            assert_eq!(fault, count, "{text} up to {:?}", found[count - 1].text);
        }
    }
}

#[test]
fn what_is_written_reads_back_as_the_same() {
    for text in valid() {
        let Ok(tree) = tree(text) else {
            continue;
        };
        for written in [tree.to_string(), tree.prettify()] {
            let read = super::tree(&written).unwrap_or_else(|why| panic!("{written}: {why}"));
            assert_eq!(read.to_string(), tree.to_string(), "{text}");
        }
    }
}

#[test]
fn faults_have_columns() {
    let mut wrong = Vec::new();
    for line in include_str!("invalid.promql").lines().skip(1) {
        let mut parts = line.splitn(3, ' ');
        let column: usize = parts.next().unwrap().parse().unwrap();
        let text = parts.nth(1).unwrap();
        match check(text) {
            Err(syntax) if syntax.column == column => {}
            other => wrong.push(format!("{text}: want {column}, got {other:?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn messages_say_what_to_write() {
    for (text, message, hint) in [
        ("sum(rte(x[5m]))", "unknown function `rte`", Some("did you mean `rate`?")),
        ("rate(foo)", "`rate` takes a range vector here, not an instant vector", Some("give it a window: `…[5m]`")),
        ("sum(", "`(` of column 4 is not closed", None),
        ("a\n+ sum(\nb", "`(` of line 2, column 6 is not closed", None),
        ("foo +", "unexpected end, expected an expression", None),
        ("foo[5x]", "`5x` is neither a number nor a duration", None),
        ("foo[", "`[` of column 4 is not closed", None),
        ("foo{a=}", "unexpected `}`, expected a quoted value", None),
        ("foo{a \"b\"}", "unexpected `\"b\"`, expected `=`, `!=`, `=~` or `!~`", None),
        ("foo{a=\"b}", "the string that begins with \" is not ended", None),
        ("foo offset bar", "unexpected `bar`, expected a duration such as `5m`", None),
        ("sum(x) by region", "unexpected `region`, expected `(`", None),
        ("1 == 1", "a comparison of two numbers needs `bool`", Some("write `1 == bool 2`, which gives 0 or 1")),
        ("topk(x)", "wrong number of arguments: expected 2, got 1", None),
        ("", "nothing to evaluate", None),
        (" # only a comment", "nothing to evaluate", None),
    ] {
        let syntax = check(text).unwrap_err();
        assert_eq!((syntax.message.as_str(), syntax.hint.as_deref()), (message, hint), "{text}");
    }
}

#[test]
fn a_fault_in_one_line() {
    let shown = |text| check(text).unwrap_err().to_string();
    assert_eq!(shown("rte(x)"), "column 1: unknown function `rte`; did you mean `rate`?");
    assert_eq!(shown("a\n+"), "line 2, column 2: unexpected end, expected an expression");
}

#[test]
fn places_count_lines_and_characters() {
    for (text, line, column, width) in [
        ("sum(\n  rte(x)\n)", 2, 3, 3),
        ("x{r=\"日本\"} + rte(x)", 1, 13, 3),
        ("a\n+\nb c", 3, 3, 1),
        ("# 日本\nfoo{", 2, 5, 1),
    ] {
        let found = check(text).unwrap_err();
        assert_eq!((found.line, found.column, found.width), (line, column, width), "{text}");
    }
}

#[test]
fn what_the_server_says_gets_its_place() {
    let said = "invalid parameter \"query\": 2:9: parse error: unexpected <op:*>";
    let syntax = from_server("a\n+\"日本\" * * 2", said).unwrap();
    assert_eq!((syntax.line, syntax.column, syntax.message.as_str()), (2, 5, "unexpected <op:*>"));
    assert_eq!(from_server("a", "9:9: parse error: x").map(|found| found.line), Some(1));
    assert_eq!(from_server("a", "no such host"), None);
}

#[test]
fn what_it_gives_is_known_beforehand() {
    for (text, gives, metrics, ordered) in [
        ("sum(a) / b{x=\"y\"}", Gives::InstantVector, vec!["a", "b"], false),
        ("rate(a[5m])[1h:]", Gives::RangeVector, vec!["a"], false),
        ("step + up", Gives::InstantVector, vec!["step", "up"], false),
        ("anchored + up", Gives::InstantVector, vec!["anchored", "up"], false),
        ("x{a=`\\.`}", Gives::InstantVector, vec!["x"], false),
        ("topk(5, a)", Gives::InstantVector, vec!["a"], true),
        ("sort_desc(a)", Gives::InstantVector, vec!["a"], true),
        ("topk(5, a) > 1", Gives::InstantVector, vec!["a"], false),
        ("1 + 2", Gives::Scalar, vec![], false),
        ("\"a\"", Gives::Text, vec![], false),
    ] {
        let found = inspect(text).unwrap();
        assert_eq!((found.gives, found.ordered), (gives, ordered), "{text}");
        assert_eq!(found.metrics, metrics, "{text}");
    }
    assert_eq!(inspect("sum("), None);
}

#[test]
fn what_is_too_much_to_read_passes() {
    let deep = format!("{}x{}", "(".repeat(10_000), ")".repeat(10_000));
    let long = vec!["x"; 10_000].join(" + ");
    for text in [deep.as_str(), &long, "x[1e30]", "x offset Inf", "x offset - 1e300"] {
        assert_eq!(check(text), Ok(()), "{text:.40}");
        assert_eq!(inspect(text), None, "{text:.40}");
    }
}

proptest! {
    #[test]
    fn never_panics(text in "(\\PC|[a-z(){}\\[\\]\"'`=~!<>@:#0-9.,+* \n-]){0,40}") {
        if let Err(syntax) = check(&text) {
            let line = text.split('\n').nth(syntax.line - 1).unwrap();
            prop_assert!(syntax.column <= line.chars().count() + 1);
        }
        let _ = inspect(&text);
        if let Ok(tree) = tree(&text) {
            let written = tree.to_string();
            prop_assert_eq!(super::tree(&written).map(|read| read.to_string()), Ok(written));
        }
    }
}
