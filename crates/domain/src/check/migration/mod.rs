//! Migrations of a database's schema: the history is folded into a catalogue, and each statement is judged against the
//! schema that it meets. One reader for three dialects: what it does not understand is unknown, never safe.

pub mod fix;
pub mod fold;
pub mod layout;
pub mod rules;

mod advice;
mod age;
mod alter;
mod apply;
mod body;
mod catalog;
mod cursor;
mod lexer;
mod mysql;
mod parse;
mod postgres;
mod safe;
mod split;
mod statement;
mod verdict;

#[cfg(test)]
mod matrix;

/// Major, minor, patch; what was not said is the newest.
pub type Version = [u32; 3];

/// Whose SQL it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    Postgres,
    Mysql,
    Mariadb,
}

impl Dialect {
    pub fn is_mysql(self) -> bool {
        self != Self::Postgres
    }

    pub fn is_mariadb(self) -> bool {
        self == Self::Mariadb
    }

    pub fn label(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::Mysql => "MySQL",
            Self::Mariadb => "MariaDB",
        }
    }
}
