//! Keeps one of each of a module's functions, and orders them so that alike ones stand together, where brotli finds
//! them: 4 % of what is sent.

use std::collections::HashMap;
use std::convert::Infallible;

use anyhow::{Context as _, Result, anyhow, bail};
use wasm_encoder::reencode::{Error, Reencode};
use wasm_encoder::{CodeSection, FunctionSection, Module};
use wasmparser::{CodeSectionReader, FunctionBody, FunctionSectionReader, Parser, Payload, TypeRef, Validator};

/// Custom sections that name no function. Any other could number the functions as they were, and is not read here.
const WITHOUT_NUMBERS: [&str; 1] = ["target_features"];

/// The same module with its functions in another order, and each only once.
pub(crate) fn by_likeness(module: &[u8]) -> Result<Vec<u8>> {
    let (mut ordered, mut dropped) = reorder(module)?;
    // Two that call the one or the other of what is now one have become the same.
    while dropped > 0 {
        (ordered, dropped) = reorder(&ordered)?;
    }
    Validator::new().validate_all(&ordered).context("the client with its functions in order is no valid module")?;
    Ok(ordered)
}

/// A module in order, and how many functions it has less.
fn reorder(module: &[u8]) -> Result<(Vec<u8>, usize)> {
    let mut types = Vec::new();
    let mut bodies = Vec::new();
    let mut imported = 0;
    for payload in Parser::new(0).parse_all(module) {
        match payload? {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    imported += u32::from(matches!(import?.ty, TypeRef::Func(_)));
                }
            }
            Payload::FunctionSection(section) => types = section.into_iter().collect::<Result<_, _>>()?,
            Payload::CodeSectionEntry(body) => bodies.push(body),
            Payload::CustomSection(section) if !WITHOUT_NUMBERS.contains(&section.name()) => {
                bail!(
                    "the client has a custom section {:?}, which may number functions: remove it, or see to it that its \
                     numbers follow the order",
                    section.name()
                );
            }
            _ => {}
        }
    }
    let mut functions: Vec<_> = (imported..).zip(types).zip(bodies).collect();
    functions.sort_by_key(|((_, ty), body)| (*ty, body.as_bytes()));
    let before = functions.len();
    let mut places = HashMap::new();
    for (place, alike) in (imported..).zip(functions.chunk_by(are_same)) {
        places.extend(alike.iter().map(|((number, _), _)| (*number, place)));
    }
    functions.dedup_by(|second, first| are_same(first, second));
    let dropped = before - functions.len();
    let mut ordered = Module::new();
    let mut reorder = Reorder { functions, places };
    let done = reorder.parse_core_module(&mut ordered, Parser::new(0), module);
    done.map_err(|error| anyhow!("the client's functions cannot be ordered: {error}"))?;
    Ok((ordered.finish(), dropped))
}

/// Number in the old order and type, body.
type Function<'a> = ((u32, u32), FunctionBody<'a>);

/// Rust promises no address of its own to any function.
fn are_same(((_, first_type), first): &Function<'_>, ((_, second_type), second): &Function<'_>) -> bool {
    first_type == second_type && first.as_bytes() == second.as_bytes()
}

struct Reorder<'a> {
    /// In the new order.
    functions: Vec<Function<'a>>,
    /// From the old number to the new one.
    places: HashMap<u32, u32>,
}

impl Reencode for Reorder<'_> {
    type Error = Infallible;

    fn function_index(&mut self, function: u32) -> Result<u32, Error> {
        Ok(self.places.get(&function).copied().unwrap_or(function))
    }

    fn parse_function_section(
        &mut self,
        section: &mut FunctionSection,
        _: FunctionSectionReader<'_>,
    ) -> Result<(), Error> {
        for ((_, ty), _) in &self.functions {
            section.function(*ty);
        }
        Ok(())
    }

    fn parse_code_section(&mut self, section: &mut CodeSection, _: CodeSectionReader<'_>) -> Result<(), Error> {
        for (_, body) in self.functions.clone() {
            self.parse_function_body(section, body)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::Cow;
    use wasm_encoder::{CustomSection, ExportKind, ExportSection, Function, Instruction, TypeSection};

    /// Functions of no arguments: 0 calls 1, 1 and 2 are the same, each is exported under its number.
    fn module(last: &Instruction<'_>, custom: &str) -> Vec<u8> {
        let body = |instructions: &[&Instruction<'_>]| {
            let mut body = Function::new([]);
            for instruction in instructions {
                body.instruction(instruction);
            }
            body.instruction(&Instruction::End);
            body
        };
        let (mut types, mut functions, mut exports, mut code) =
            (TypeSection::new(), FunctionSection::new(), ExportSection::new(), CodeSection::new());
        types.ty().function([], []);
        for (number, body) in [body(&[&Instruction::Call(1)]), body(&[last]), body(&[last])].iter().enumerate() {
            functions.function(0);
            code.function(body);
            exports.export(&number.to_string(), ExportKind::Func, u32::try_from(number).expect("small"));
        }
        let mut module = Module::new();
        module.section(&types).section(&functions).section(&exports).section(&code);
        module.section(&CustomSection { name: custom.into(), data: Cow::Borrowed(&[1, 2, 3]) });
        module.finish()
    }

    #[test]
    fn alike_functions_become_one_and_are_found_under_every_name() {
        let ordered = by_likeness(&module(&Instruction::Nop, "target_features")).expect("a module in order");
        let (mut bodies, mut exports) = (0, Vec::new());
        for payload in Parser::new(0).parse_all(&ordered) {
            match payload.expect("a section") {
                Payload::CodeSectionEntry(_) => bodies += 1,
                Payload::ExportSection(section) => {
                    exports = section.into_iter().map(|export| export.expect("an export").index).collect();
                }
                _ => {}
            }
        }
        assert_eq!((bodies, exports.len()), (2, 3));
        assert_eq!(exports[1], exports[2]);
        assert_ne!(exports[0], exports[1]);
    }

    #[test]
    fn a_section_that_may_number_functions_stops_it() {
        for name in ["name", "reloc.CODE", "linking", "anything"] {
            let error = by_likeness(&module(&Instruction::Nop, name)).expect_err("not read").to_string();
            assert!(error.contains(name), "{error}");
        }
    }

    #[test]
    fn what_is_no_valid_module_is_not_handed_on() {
        let error = by_likeness(&module(&Instruction::Drop, "target_features")).expect_err("nothing to drop");
        assert!(error.to_string().contains("no valid module"), "{error:#}");
    }
}
