//! Columns, types and constraints, as CREATE TABLE and ALTER TABLE write them.

use super::super::cursor::{Cursor, words};
use super::super::lexer::{Kind, Token};
use super::super::statement::{Constraint, Generated, NewColumn, Position, Reference, Rule, Type};

/// Where the expression after DEFAULT ends.
const ENDS: [&str; 17] = [
    "constraint",
    "not",
    "null",
    "unique",
    "primary",
    "check",
    "references",
    "generated",
    "collate",
    "deferrable",
    "initially",
    "auto_increment",
    "comment",
    "on update",
    "storage",
    "invisible",
    "visible",
];

impl Cursor<'_, '_> {
    pub fn ty(&mut self) -> Option<Type> {
        self.take("setof");
        let mut base = self.base()?;
        let mut ty = Type::default();
        if let Some(mut group) = self.group() {
            for item in group.list() {
                match item.peek() {
                    Some(token) if token.kind == Kind::Text => ty.values.push(token.content()),
                    Some(_) => ty.modifiers.push(words(item.rest()).replace(' ', "").parse().unwrap_or(-1)),
                    None => {}
                }
            }
        }
        if matches!(base.as_str(), "timestamp" | "time") {
            if self.take("with time zone") || self.take("with local time zone") {
                base.push_str(" with time zone");
            } else {
                self.take("without time zone");
            }
        }
        if base == "interval" && !self.dialect.is_mysql() {
            while self.take_any(&["year", "month", "day", "hour", "minute", "second", "to"]).is_some() {}
            let _ = self.group();
        }
        while self.dialect.is_mysql() {
            if self.take("unsigned") {
                ty.unsigned = true;
            } else if self.take("character set") || self.take("charset") {
                self.take("=");
                ty.charset = self.word();
            } else if self.take_any(&["signed", "zerofill", "binary", "ascii", "unicode"]).is_none() {
                break;
            }
        }
        while self.take("array") || (self.sees("[") && !self.dialect.is_mysql()) {
            if self.sees("[") {
                self.skip_item();
            }
            ty.array = true;
        }
        if self.take("% type") {
            base.push_str("%type");
        }
        ty.base = base;
        Some(ty)
    }

    fn base(&mut self) -> Option<String> {
        let quoted = self.peek()?.kind == Kind::Quoted;
        let name = self.name()?;
        if quoted {
            return Some(name);
        }
        let name = name.strip_prefix("pg_catalog.").map_or_else(|| name.clone(), str::to_owned);
        if self.dialect.is_mysql() {
            self.take("precision");
            self.take("varying");
            return Some(
                match name.as_str() {
                    "integer" => "int",
                    "bool" | "boolean" => "tinyint",
                    "numeric" | "dec" => "decimal",
                    "character" => "char",
                    other => other,
                }
                .to_owned(),
            );
        }
        Some(match name.as_str() {
            "int" | "int4" => "integer".to_owned(),
            "int8" => "bigint".to_owned(),
            "int2" => "smallint".to_owned(),
            "serial4" => "serial".to_owned(),
            "serial8" => "bigserial".to_owned(),
            "bool" => "boolean".to_owned(),
            "decimal" | "dec" => "numeric".to_owned(),
            "float8" | "float" => "double precision".to_owned(),
            "float4" => "real".to_owned(),
            "double" if self.take("precision") => "double precision".to_owned(),
            "varchar" => "character varying".to_owned(),
            "character" | "char" | "nchar" if self.take("varying") => "character varying".to_owned(),
            "char" | "bpchar" | "nchar" => "character".to_owned(),
            "national" if self.take("character varying") => "character varying".to_owned(),
            "varbit" => "bit varying".to_owned(),
            "bit" if self.take("varying") => "bit varying".to_owned(),
            "timestamptz" => "timestamp with time zone".to_owned(),
            "timetz" => "time with time zone".to_owned(),
            _ => name,
        })
    }

    pub fn column(&mut self) -> Option<NewColumn> {
        let name = self.word()?;
        let mut new = NewColumn::default();
        let column = &mut new.column;
        column.name = name;
        let from = self.place();
        column.ty = self.ty()?;
        new.type_text = self.written(from);
        let mut constraint = None;
        while !self.done() {
            if self.take("constraint") {
                constraint = Some(self.word()?);
                continue;
            }
            let from = self.place();
            let name = constraint.take();
            let rule = if self.take("not null") {
                column.not_null = true;
                if self.take("enable") { None } else { Some(Rule::NotNull) }
            } else if self.take("null") {
                None
            } else if self.take("default") {
                let from = self.place();
                column.default = Some(self.expression(&ends(self.dialect.is_mysql())));
                new.default_text = self.written(from);
                None
            } else if self.take("check") {
                Some(Rule::Check(words(self.group()?.rest())))
            } else if self.take("unique") {
                self.take("key");
                let _ = self.take("nulls not distinct") || self.take("nulls distinct");
                Some(Rule::Unique)
            } else if self.take("primary key") {
                column.not_null = true;
                let _ = self.take("asc") || self.take("desc");
                Some(Rule::Primary)
            } else if self.take("references") {
                let reference = self.reference()?;
                if self.dialect.is_mysql() && !self.dialect.is_mariadb() {
                    new.ignored_reference = true;
                    None
                } else {
                    Some(Rule::Foreign(reference))
                }
            } else if self.take("generated by default as identity")
                || self.take("generated by default on null as identity")
                || self.take("generated always as identity")
            {
                let _ = self.group();
                new.identity_text = self.written(from);
                column.identity = true;
                column.not_null = true;
                None
            } else if self.take("generated always as") || self.take("as") {
                let _ = self.group()?;
                let stored = self.take("stored") || self.take("persistent");
                self.take("virtual");
                // Without a word: VIRTUAL since PostgreSQL 18, as in MySQL.
                column.generated = Some(if stored { Generated::Stored } else { Generated::Virtual });
                None
            } else if self.take("collate") {
                self.take("=");
                column.collation = Some(self.name()?);
                new.collate_text = self.written(from);
                None
            } else if self.take("deferrable")
                || self.take("not deferrable")
                || self.take("initially deferred")
                || self.take("initially immediate")
                || self.take("enforced")
                || self.take("no inherit")
                || self.take("invisible")
                || self.take("visible")
            {
                None
            } else if self.take("not valid") || self.take("not enforced") {
                if let Some(last) = new.constraints.last_mut() {
                    last.valid = false;
                }
                None
            } else if self.take("storage") || self.take("compression") || self.take("column_format") {
                self.next();
                None
            } else if self.take("using index tablespace") {
                self.word()?;
                None
            } else if self.take("with") {
                let _ = self.group()?;
                None
            } else if self.dialect.is_mysql() {
                if self.take("auto_increment") {
                    column.auto_increment = true;
                } else if self.take("on update") {
                    self.next();
                    let _ = self.group();
                } else if self.take("comment") {
                    self.take("=");
                    self.next();
                    column.comment = true;
                } else if self.take("first") {
                    new.position = Some(Position::First);
                } else if self.take("after") {
                    new.position = Some(Position::After(self.word()?));
                } else if self.take("character set") || self.take("charset") {
                    column.ty.charset = self.word();
                } else if self.take("srid") {
                    self.next();
                } else if !self.take("key") {
                    return None;
                }
                None
            } else {
                return None;
            };
            if let Some(rule) = rule {
                let columns = vec![column.name.clone()];
                let text = self.written(from);
                new.constraints.push(Constraint {
                    name,
                    rule,
                    columns,
                    using_index: None,
                    valid: true,
                    enforced: true,
                    text,
                });
            }
        }
        Some(new)
    }

    fn reference(&mut self) -> Option<Reference> {
        let table = self.name()?;
        let columns = self.columns().unwrap_or_default();
        loop {
            if self.take("match") {
                self.next();
            } else if self.take("on delete") || self.take("on update") {
                if self.take("set") || self.take("no") {
                    self.next();
                    let _ = self.group();
                } else {
                    self.next();
                }
            } else {
                return Some(Reference { table, columns });
            }
        }
    }

    /// Does a constraint of the table come next, and not a column?
    pub fn sees_constraint(&self) -> bool {
        self.sees("constraint")
            || self.sees("check (")
            || self.sees("foreign key")
            || self.sees("primary key")
            || self.sees("exclude using")
            || self.sees("exclude (")
            || self.sees("not null")
            || (self.sees("unique") && !self.dialect.is_mysql())
    }

    pub fn constraint(&mut self) -> Option<Constraint> {
        let name = if self.take("constraint") {
            if self.dialect.is_mysql()
                && (self.sees("check") || self.sees("foreign") || self.sees("primary") || self.sees("unique"))
            {
                None
            } else {
                Some(self.word()?)
            }
        } else {
            None
        };
        let from = self.place();
        let mut columns = vec![];
        let mut using_index = None;
        let rule = if self.take("check") {
            let text = words(self.group()?.rest());
            Rule::Check(text)
        } else if self.take("not null") {
            columns.push(self.word()?);
            Rule::NotNull
        } else if self.take("foreign key") {
            if self.peek().is_some_and(Token::is_name) {
                self.if_not_exists();
                self.word()?;
            }
            columns = self.columns()?;
            self.expect("references")?;
            Rule::Foreign(self.reference()?)
        } else if self.take("exclude") {
            Rule::Exclude
        } else {
            let primary = self.take("primary key");
            if !primary {
                self.expect("unique")?;
                let _ = self.take("key") || self.take("index");
                let _ = self.take("nulls not distinct") || self.take("nulls distinct");
            }
            if self.dialect.is_mysql() {
                if self.take("using") {
                    self.next();
                }
                if self.peek().is_some_and(Token::is_name) {
                    self.word();
                    if self.take("using") {
                        self.next();
                    }
                }
            }
            if self.take("using index") {
                using_index = Some(self.word()?);
            } else {
                columns = self.columns()?;
            }
            if primary { Rule::Primary } else { Rule::Unique }
        };
        let (mut valid, mut enforced) = (true, true);
        while !self.done() {
            if self.take("not valid") {
                valid = false;
            } else if self.take("not enforced") {
                (valid, enforced) = (false, false);
            } else {
                self.skip_item();
            }
        }
        Some(Constraint { name, rule, columns, using_index, valid, enforced, text: self.written(from) })
    }
}

fn ends(mysql: bool) -> Vec<&'static str> {
    let mut ends = ENDS.to_vec();
    if mysql {
        ends.extend(["first", "after", "key"]);
    }
    ends
}
