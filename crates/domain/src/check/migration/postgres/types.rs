//! Which changes of a column's type PostgreSQL makes without touching a row.

use super::super::Dialect;
use super::super::catalog::{Catalog, UserType};
use super::super::cursor::Cursor;
use super::super::lexer::tokens;
use super::super::statement::Type;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Free,
    /// No row is touched, but the order of an index may be another.
    Reindex,
    Rewrite,
}

pub fn change(
    catalog: &Catalog,
    old: &Type,
    new: &Type,
    using: Option<&str>,
    column: &str,
    version: u32,
    utc: bool,
) -> Change {
    if let Some(using) = using
        && !is_plain_cast(using, column, new)
    {
        return Change::Rewrite;
    }
    if old == new {
        return Change::Free;
    }
    let (old_base, _) = resolve(catalog, old);
    let (new_base, checked) = resolve(catalog, new);
    if checked && old.base != new.base {
        return Change::Rewrite;
    }
    if old_base.array != new_base.array {
        return Change::Rewrite;
    }
    let free = |free: bool| if free { Change::Free } else { Change::Rewrite };
    let modifier = |ty: &Type| ty.modifiers.first().copied();
    // What has no limit takes everything.
    let widens = |default: i64| modifier(&new_base).is_none_or(|new| modifier(&old_base).unwrap_or(default) <= new);
    let (from, to) = (old_base.base.as_str(), new_base.base.as_str());
    if old_base.array && (!new_base.modifiers.is_empty() && old_base.modifiers != new_base.modifiers) {
        return Change::Rewrite;
    }
    match (from, to) {
        ("character varying", "character varying") | ("bit varying" | "bit", "bit varying") => free(widens(i64::MAX)),
        ("character varying" | "text", "text") => Change::Free,
        ("text", "character varying") => free(new_base.modifiers.is_empty()),
        ("text" | "character varying", "citext") => Change::Reindex,
        ("citext", "text") => Change::Reindex,
        ("citext", "character varying") if new_base.modifiers.is_empty() => Change::Reindex,
        ("numeric", "numeric") => free(match (old_base.modifiers.as_slice(), new_base.modifiers.as_slice()) {
            (_, []) => true,
            ([], _) => false,
            (old, new) => new[0] >= old[0] && new.get(1).unwrap_or(&0) == old.get(1).unwrap_or(&0),
        }),
        ("timestamp", "timestamp")
        | ("timestamp with time zone", "timestamp with time zone")
        | ("time", "time")
        | ("time with time zone", "time with time zone")
        | ("interval", "interval") => free(modifier(&new_base).unwrap_or(6) >= modifier(&old_base).unwrap_or(6)),
        ("timestamp", "timestamp with time zone") | ("timestamp with time zone", "timestamp") => {
            let same = version >= 12 && utc && modifier(&new_base).unwrap_or(6) >= modifier(&old_base).unwrap_or(6);
            if same { Change::Reindex } else { Change::Rewrite }
        }
        ("cidr", "inet") | ("integer", "oid") | ("oid", "integer") => Change::Free,
        (from, to) => free(from == to && old_base.modifiers == new_base.modifiers),
    }
}

/// What a domain stands on, and whether a value must be checked.
fn resolve(catalog: &Catalog, ty: &Type) -> (Type, bool) {
    let (mut ty, mut any) = (ty.clone(), false);
    for _ in 0..8 {
        let Some(UserType::Domain { base, checked }) = catalog.types.get(&ty.base) else { break };
        any |= checked;
        ty = base.clone();
    }
    (ty, any)
}

/// `column`, `column::type`, `CAST(column AS type)`: what would be done without USING, too.
fn is_plain_cast(using: &str, column: &str, new: &Type) -> bool {
    let mut using = using;
    while let Some(inner) = using.strip_prefix("( ").and_then(|rest| rest.strip_suffix(" )")) {
        using = inner;
    }
    if using == column {
        return true;
    }
    let cast = format!("{column} :: ");
    let long = format!("cast ( {column} as ");
    let rest = using.strip_prefix(&cast).or_else(|| using.strip_prefix(&long).and_then(|rest| rest.strip_suffix(" )")));
    let Some(rest) = rest else { return false };
    let tokens = tokens(rest, Dialect::Postgres);
    let mut cursor = Cursor::new(&tokens, rest, Dialect::Postgres);
    cursor.ty().as_ref() == Some(new) && cursor.done()
}

/// Functions that give each row another value, or may.
pub fn is_volatile(catalog: &Catalog, default: &str) -> bool {
    let tokens = tokens(default, Dialect::Postgres);
    tokens.windows(2).filter(|pair| pair[0].is_name() && pair[1].is("(")).any(|pair| {
        let name = pair[0].name();
        match catalog.functions.get(&name) {
            Some(function) => function.volatile,
            // A function of an extension is VOLATILE, unless it says otherwise.
            None => !STABLE.contains(&name.as_str()),
        }
    })
}

/// Functions of PostgreSQL that are STABLE or IMMUTABLE, and words before a parenthesis that are no function.
const STABLE: [&str; 84] = [
    "now",
    "current_timestamp",
    "localtimestamp",
    "current_time",
    "localtime",
    "transaction_timestamp",
    "statement_timestamp",
    "timezone",
    "to_timestamp",
    "to_date",
    "to_char",
    "to_number",
    "date_trunc",
    "date_part",
    "extract",
    "make_interval",
    "make_date",
    "make_time",
    "make_timestamp",
    "make_timestamptz",
    "age",
    "date",
    "timestamp",
    "timestamptz",
    "time",
    "interval",
    "lower",
    "upper",
    "initcap",
    "concat",
    "concat_ws",
    "length",
    "substring",
    "substr",
    "left",
    "right",
    "replace",
    "trim",
    "btrim",
    "ltrim",
    "rtrim",
    "md5",
    "sha256",
    "encode",
    "decode",
    "format",
    "coalesce",
    "nullif",
    "greatest",
    "least",
    "abs",
    "round",
    "floor",
    "ceil",
    "ceiling",
    "power",
    "sqrt",
    "trunc",
    "array",
    "array_fill",
    "string_to_array",
    "jsonb_build_object",
    "json_build_object",
    "jsonb_build_array",
    "json_build_array",
    "to_jsonb",
    "to_json",
    "row",
    "cast",
    "varchar",
    "char",
    "character",
    "varying",
    "numeric",
    "decimal",
    "bit",
    "current_setting",
    "current_user",
    "session_user",
    "int4range",
    "tstzrange",
    "daterange",
    "in",
    "any",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn ty(text: &str) -> Type {
        let tokens = tokens(text, Dialect::Postgres);
        Cursor::new(&tokens, text, Dialect::Postgres).ty().unwrap()
    }

    #[test]
    fn what_is_free_and_what_is_not() {
        let catalog = Catalog::default();
        let rows = [
            ("varchar(50)", "varchar(100)", Change::Free),
            ("varchar(50)", "varchar(20)", Change::Rewrite),
            ("varchar", "varchar(20)", Change::Rewrite),
            ("varchar(50)", "text", Change::Free),
            ("text", "varchar", Change::Free),
            ("varchar[]", "text[]", Change::Free),
            ("varchar(5)[]", "varchar(9)[]", Change::Rewrite),
            ("text", "text[]", Change::Rewrite),
            ("text", "citext", Change::Reindex),
            ("int", "integer", Change::Free),
            ("int4", "int8", Change::Rewrite),
            ("decimal(10,2)", "numeric(12,2)", Change::Free),
            ("numeric(10,2)", "numeric(12,3)", Change::Rewrite),
            ("numeric(10)", "numeric(12,0)", Change::Free),
            ("timestamp(3)", "timestamp without time zone", Change::Free),
            ("timestamptz", "timestamp(3) with time zone", Change::Rewrite),
            ("bit(8)", "bit varying", Change::Free),
            ("json", "jsonb", Change::Rewrite),
            ("mood", "text", Change::Rewrite),
        ];
        for (old, new, expected) in rows {
            assert_eq!(change(&catalog, &ty(old), &ty(new), None, "c", 15, false), expected, "{old} → {new}");
        }
        let using = |using| change(&catalog, &ty("varchar(9)"), &ty("text"), Some(using), "c", 15, false);
        for (text, expected) in [
            ("c", Change::Free),
            ("c :: text", Change::Free),
            ("cast ( c as text )", Change::Free),
            ("( c :: text )", Change::Free),
            ("c :: text || 'x'", Change::Rewrite),
            ("lower ( c )", Change::Rewrite),
            ("c :: integer", Change::Rewrite),
        ] {
            assert_eq!(using(text), expected, "{text}");
        }
    }

    #[test]
    fn volatility() {
        let catalog = Catalog::default();
        for (default, volatile) in [
            ("now ( )", false),
            ("'x'", false),
            ("gen_random_uuid ( )", true),
            ("ulid ( )", true),
            ("array [ ] :: text [ ]", false),
        ] {
            assert_eq!(is_volatile(&catalog, default), volatile, "{default}");
        }
    }
}
