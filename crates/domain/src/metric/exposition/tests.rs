//! Tests of the exposition reader, in their own file for its length.

use proptest::prelude::*;

use crate::metric::exposition::*;
use crate::metric::labels;

/// Each sample as `name{labels} value`.
fn read(body: &str, format: Format) -> Result<Vec<String>, String> {
    let found = parse(body, format, |_| true).map_err(|e| e.to_string())?;
    let show = |s: &Sample| format!("{}{} {}", s.name, labels::show(&s.labels), s.value);
    Ok(found.samples.iter().map(show).collect())
}

#[test]
fn text_format() {
    let body = "# HELP http_requests_total Requests \\ served\n\
                # TYPE http_requests_total counter\n\
                # a remark\n#another\n#TYPE x remark\n# TYPE\n\n\
                http_requests_total{method=\"post\",code=\"200\"} 1027 1395066363000\n\
                http_requests_total { method = \"get\" , code=\"\", } 3\n\
                \tuptime  1.5e3\n\
                no_comma{a=\"1\" b=\"2\"} 4\n\
                path{p=\"C:\\\\DIR\\n\\\"x\\\"\\q\"} -0.5\n\
                rpc_bucket{le=\"+Inf\"} +Inf 0\n\
                low -Inf\nodd NaN\nbare{} 1\nunit:é_less{a=\"ß,}\"}1";
    let body = body.replace("unit:é_less", "unit:less");
    assert_eq!(
        read(&body, Format::Text).unwrap(),
        [
            r#"http_requests_total{code="200",method="post"} 1027"#,
            r#"http_requests_total{method="get"} 3"#,
            "uptime{} 1500",
            r#"no_comma{a="1",b="2"} 4"#,
            r#"path{p="C:\\DIR\n\"x\"\\q"} -0.5"#,
            r#"rpc_bucket{le="+Inf"} inf"#,
            "low{} -inf",
            "odd{} NaN",
            "bare{} 1",
            r#"unit:less{a="ß,}"} 1"#,
        ]
    );
}

#[test]
fn open_metrics() {
    let body = "# TYPE foo_seconds histogram\n# UNIT foo_seconds seconds\n# HELP foo_seconds Text\n\
                foo_seconds_bucket{le=\"1.0\"} 17 1.5e9 # {trace_id=\"a b\"} 0.67 1520879607.789\n\
                foo_seconds_count 17 # {} 1\n\
                foo_seconds_created 1520430000.123\n# EOF\n";
    assert_eq!(
        read(body, Format::OpenMetrics).unwrap(),
        [r#"foo_seconds_bucket{le="1.0"} 17"#, "foo_seconds_count{} 17", "foo_seconds_created{} 1520430000.123",]
    );
    assert!(read(body.trim_end(), Format::OpenMetrics).is_ok());
}

#[test]
fn quoted_names() {
    let body = "{\"http.requests\",\"k8s.pod\"=\"a\"} 1\n{a=\"b\",\"é\"} 2\n{\"only\"} 3\n";
    assert_eq!(read(body, Format::Text).unwrap(), [r#"http.requests{"k8s.pod"="a"} 1"#, r#"é{a="b"} 2"#, "only{} 3"]);
}

#[test]
fn content_type_tells_the_format() {
    for (header, want) in [
        ("application/openmetrics-text; version=1.0.0; charset=utf-8", Format::OpenMetrics),
        ("Application/OpenMetrics-Text", Format::OpenMetrics),
        ("text/plain; version=0.0.4", Format::Text),
        ("", Format::Text),
        ("application/json", Format::Text),
    ] {
        assert_eq!(Format::from_content_type(header), want, "{header}");
    }
}

#[test]
fn a_bad_line_fails_with_its_number() {
    use Format::{OpenMetrics, Text};
    for (body, format, want) in [
        ("a 1\nb\n", Text, "line 2: expected a value, but the line ends"),
        ("a one\n", Text, "line 1: expected a value, found `one`"),
        ("a 1 2 3\n", Text, "line 1: expected the end of the line, found `3`"),
        ("a 1 2.5\n", Text, "line 1: expected a timestamp, found `2.5`"),
        ("a 1 # {} 1\n", Text, "line 1: expected the end of the line, found `# {} 1`"),
        ("a{b=\"c\" 1\n", Text, "line 1: expected a label name or `}`, found `1`"),
        ("a{b=c} 1\n", Text, "line 1: expected a text in double quotes, found `c} 1`"),
        ("a{b=\"c} 1\nd 2\n", Text, "line 1: a text in double quotes has no end"),
        ("a{b=\"1\",b=\"2\"} 1\n", Text, "line 1: the label `b` is given twice"),
        ("a{:b=\"1\"} 1\n", Text, "line 1: expected a label name or `}`, found `:b=\"1\"} 1`"),
        ("a{\"b\"} 1\n", Text, "line 1: expected `=`, found `} 1`"),
        ("1a 1\n", Text, "line 1: expected a metric name, found `1a 1`"),
        ("é 1\n", Text, "line 1: expected a metric name, found `é 1`"),
        ("{a=\"b\"} 1\n", Text, "line 1: expected a metric name, found ` 1`"),
        ("# TYPE a meter\n", Text, "line 1: `meter` is not a type of metric"),
        ("# TYPE a gauge x\n", Text, "line 1: `gauge` is not a type of metric"),
        ("a 1\r\n", Text, "line 1: it ends with CR LF; Prometheus takes LF alone"),
        ("<html>", Text, "line 1: this is HTML or XML, not metrics"),
        ("{\"status\": \"ok\"}", Text, "line 1: expected a label name or `}`, found `: \"ok\"}`"),
        ("a 1\n", OpenMetrics, "line 2: OpenMetrics must end with `# EOF`; the body is cut off"),
        ("a 1\n\n# EOF\n", OpenMetrics, "line 2: OpenMetrics allows no empty line"),
        ("# EOF\na 1\n", OpenMetrics, "line 1: nothing may follow `# EOF`"),
        ("# hi\n# EOF\n", OpenMetrics, "line 1: OpenMetrics allows only HELP, TYPE, UNIT and EOF after `#`"),
        ("a 1 # x\n# EOF\n", OpenMetrics, "line 1: expected the labels of an exemplar, found `x`"),
    ] {
        assert_eq!(read(body, format).unwrap_err(), want, "{body:?}");
    }
}

#[test]
fn the_first_of_a_series_is_kept() {
    let body = "a{x=\"1\",y=\"2\"} 1\na 5\na{y=\"2\",x=\"1\"} 2\na{x=\"1\",y=\"2\",z=\"\"} 3\n";
    let found = parse(body, Format::Text, |_| true).unwrap();
    assert_eq!((found.duplicates, found.total), (2, 4));
    assert_eq!(found.samples.iter().map(|s| s.value).collect::<Vec<_>>(), [1.0, 5.0]);
}

#[test]
fn only_what_is_wanted_is_kept_but_all_is_checked() {
    let found = parse("a 1\nb 2\na{x=\"1\"} 3\n", Format::Text, |name| name == "a").unwrap();
    assert_eq!((found.samples.len(), found.total), (2, 3));
    assert!(parse("a 1\nb two\n", Format::Text, |name| name == "a").is_err());
}

#[test]
fn too_many_samples_are_refused() {
    let body = "a 1\n".repeat(MAX_SAMPLES + 1);
    let error = parse(&body, Format::Text, |_| true).unwrap_err();
    assert_eq!(error.message, "more than 200000 samples");
    assert!(parse(&body, Format::Text, |_| false).is_ok());
}

#[test]
fn a_sample_survives_json() {
    let body = "a{x=\"1\"} NaN\nb 2.5\nc +Inf\n";
    let found = parse(body, Format::Text, |_| true).unwrap();
    let json = serde_json::to_string(&found.samples).unwrap();
    assert!(json.contains(r#""value":"NaN""#) && json.contains(r#""value":"+Inf""#), "{json}");
    let back: Vec<Sample> = serde_json::from_str(&json).unwrap();
    assert_eq!(format!("{back:?}"), format!("{:?}", found.samples));
}

proptest! {
    #[test]
    fn never_panics(body in "([a-z:_]{1,3}|[{}\"=,#\\\\ \n\r\té]|# EOF|# TYPE |NaN|[0-9.eE+-]{1,4}|\\PC){0,24}") {
        let _ = parse(&body, Format::Text, |_| true);
        let _ = parse(&body, Format::OpenMetrics, |_| true);
    }

    #[test]
    fn reads_what_is_written(value in any::<f64>(), label in "\\PC{0,8}|[\"\\\\\n]{0,4}") {
        let escaped = label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let body = format!("m{{l=\"{escaped}\"}} {value}\n");
        let found = parse(&body, Format::Text, |_| true).unwrap();
        let got = found.samples[0].labels.get("l").cloned().unwrap_or_default();
        prop_assert_eq!(got, label);
        prop_assert_eq!(found.samples[0].value.to_string(), value.to_string());
    }
}
