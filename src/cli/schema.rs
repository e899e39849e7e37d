//! `virt schema`: the grammars as RELAX NG, and as JSON Schema.

use super::context::Context;
use super::exit::{Exit, Failure, Run};
use crate::grammars;
use crate::model::Kind;
use clap::Args;
use relaxng::Shape;

/// Print the grammar that manifests are validated against
///
/// RELAX NG in one file, as jing and xmllint take it; or a JSON Schema of TOML manifests, for the
/// completion of editors: Taplo and Even Better TOML read it.
#[derive(Debug, Args)]
pub(crate) struct SchemaArgs {
    /// Kind of document [default: domain; with --toml both domain and network]
    #[arg(value_name = "KIND", value_parser = clap::builder::PossibleValuesParser::new(crate::grammars::embedded_names()))]
    pub(crate) kind: Option<String>,
    /// Print a JSON Schema (draft 7) of TOML manifests
    #[arg(long)]
    pub(crate) toml: bool,
}

pub(crate) fn run(context: &Context, args: &SchemaArgs) -> Run {
    let kind = args.kind.as_deref();
    let text = if args.toml { json(kind)? } else { relaxng(kind.unwrap_or("domain"))? };
    context.output.result(&text)?;
    Ok(Exit::Done)
}

fn relaxng(kind: &str) -> Result<String, Failure> {
    grammars::flat(kind).ok_or_else(|| Failure::Usage(format!("there is no grammar of {kind}")))
}

fn json(kind: Option<&str>) -> Result<String, Failure> {
    let is_wanted = |of: &Kind| kind.is_none_or(|kind| kind == of.grammar());
    let wanted: Vec<Kind> = Kind::ALL.into_iter().filter(is_wanted).collect();
    if wanted.is_empty() {
        let said = format!("manifests in TOML hold {}", Kind::ALL.map(Kind::grammar).join(", "));
        return Err(Failure::Usage(said));
    }
    let shape = |kind: Kind| Some((kind.as_str(), grammars::shape(kind.grammar())?));
    let shapes: Vec<(&str, &Shape)> = wanted.into_iter().filter_map(shape).collect();
    Ok(format!("{:#}\n", grammars::json_schema(&shapes)))
}
