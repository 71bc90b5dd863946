//! `liveops flag set`: creates a flag, or edits what is named and nothing else.

use clap::Args;

use crate::commands::flag::reason::ReasonArgs;
use crate::commands::flag::{change, name};
use crate::context::Context;
use liveops_domain::error::{Error, Exit, Result};
use liveops_domain::flag::edit::{Edit, SetEdit};
use liveops_domain::flag::name::FlagName;
use liveops_domain::flag::percent::Percent;
use liveops_domain::flag::rule_text;
use liveops_engine::flag::change::Request;

/// Create a flag, or change the members that are named
///
/// Everything else in the flag stays as it is, to the byte. A name that is not in use makes a new flag; one that is near a
/// name in use is refused without --create, unless somebody can be asked. A new flag with --pct gets `defaultValue: true`, since the
/// default decides about everybody whom the percentage lets pass; on a flag whose default is false, --pct is refused:
/// nobody would be on. With reader `legacy-v1` the percentage is a gate before everything else: who is in the allowlist
/// and outside the percentage is off.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  liveops flag set new_matchmaking --pct 10 --dry-run
  liveops flag set new_matchmaking --pct 25 --reason \"error rate is flat\"
  liveops flag set new_matchmaking --pct 25 --expect-rev 3
  liveops flag set old_shop --pct 10 --default true
  liveops flag set eu_event --rule 'region in eu,uk' --rule 'level >= 10 and beta = true : off'

A rule is ATTRIBUTE OPERATOR VALUE[,VALUE], several joined by `and`, with `: off` behind it to turn off; or JSON:
  {\"attribute\": \"region\", \"operator\": \"in\", \"values\": [\"eu\"], \"enabled\": true}")]
pub(super) struct SetArgs {
    /// The flag
    #[arg(value_name = "NAME", value_parser = name)]
    name: FlagName,

    /// On for this share of all users, 0 to 100
    #[arg(long, aliases = ["percent", "percentage"], value_name = "N", allow_negative_numbers = true)]
    pct: Option<String>,

    /// Switch it on (for whom its percentage, lists and rules say)
    #[arg(long)]
    enable: bool,

    /// Switch it off for everybody
    #[arg(long, conflicts_with = "enable")]
    disable: bool,

    /// The answer for everybody whom no list and no rule decides about
    #[arg(long, value_name = "true|false", hide_possible_values = true)]
    default: Option<bool>,

    /// A rule; all of them together take the place of those that the flag has
    #[arg(long = "rule", value_name = "RULE")]
    rules: Vec<String>,

    /// Take all rules away
    #[arg(long, conflicts_with = "rules")]
    no_rules: bool,

    /// Make a new flag although its name is near that of another
    #[arg(long)]
    create: bool,

    /// What the percentage is hashed with (reader v2 alone)
    #[arg(long, value_name = "TEXT")]
    salt: Option<String>,

    /// Flags are on or off: this is refused, with the reason
    #[arg(long, value_name = "NAME", hide = true)]
    variant: Option<String>,

    #[command(flatten)]
    why: ReasonArgs,
}

impl SetArgs {
    fn edit(&self) -> Result<SetEdit> {
        if self.variant.is_some() {
            return Err(Error::usage(
                "the services' readers know on and off, and no variants: the member would change nothing for anybody",
                "make one flag for each variant, such as `shop_blue` and `shop_red`",
            ));
        }
        let percentage = self.pct.as_deref().map(percentage).transpose()?;
        let rules: Vec<serde_json::Value> =
            self.rules.iter().map(|text| rule_text::parse(text)).collect::<Result<_, _>>().map_err(|error| {
                Error::usage(error.to_string(), "`liveops flag set --help` shows how a rule is written")
            })?;
        let edit = SetEdit {
            percentage,
            enabled: match (self.enable, self.disable) {
                (true, _) => Some(true),
                (_, true) => Some(false),
                _ => None,
            },
            default_value: self.default,
            rules: (self.no_rules || !rules.is_empty()).then_some(rules),
            salt: self.salt.clone(),
        };
        if edit == SetEdit::default() {
            return Err(Error::usage(
                "nothing to set: name what to change",
                "such as `--pct 10`, `--enable`, `--default true` or `--rule 'region in eu'`",
            ));
        }
        Ok(edit)
    }
}

fn percentage(text: &str) -> Result<Percent> {
    text.parse().map_err(|error: liveops_domain::flag::percent::PercentError| {
        Error::usage(error.to_string(), "such as `--pct 10` for a tenth of all users")
    })
}

pub(super) async fn run(args: SetArgs, cx: &Context) -> Result<Exit> {
    let edit = args.edit()?;
    let request = Request {
        action: "flag.set",
        edits: vec![(args.name, Edit::Set(edit))],
        why: args.why.into(),
        kill_switch: false,
        create: args.create,
    };
    change::request(cx, request).await
}
