//! The sink for bodies that are one text: gathers it, holds it to its limit and to UTF-8, then
//! hands it over whole.

use super::{Call, Outcome, Sink};
use crate::budget::Charge;
use crate::wire::{Code, Refusal};
use std::time::Duration;

/// What is done with a text once it is whole. The charge stands for the memory it occupies.
type Take = dyn FnOnce(&mut Call<'_>, String, Charge) -> Result<Outcome, Refusal> + Send;

/// Gathers one text.
pub struct TextSink {
    text: Vec<u8>,
    limit: usize,
    charge: Charge,
    take: Box<Take>,
}

impl TextSink {
    /// A sink whose text goes to `take`.
    ///
    /// # Errors
    ///
    /// `busy` while the memory that all connections share is used up.
    pub fn open(
        call: &Call<'_>,
        take: impl FnOnce(&mut Call<'_>, String, Charge) -> Result<Outcome, Refusal> + Send + 'static,
    ) -> Result<Outcome, Refusal> {
        if call.house.budget.is_spent() {
            return Err(Refusal::busy(
                "too many texts are under way",
                Duration::from_secs(1),
            ));
        }
        Ok(Outcome::Sink(Box::new(Self {
            text: Vec::new(),
            limit: call.house.limits.max_text,
            charge: call.house.budget.charge(),
            take: Box::new(take),
        })))
    }

    fn too_large(&self) -> Refusal {
        Refusal::new(
            Code::TooLarge,
            format!("a text may have at most {} bytes", self.limit),
        )
    }
}

impl Sink for TextSink {
    fn announce(&mut self, bytes: u64) -> Result<(), Refusal> {
        if bytes > self.limit as u64 {
            Err(self.too_large())
        } else {
            Ok(())
        }
    }

    fn write(&mut self, piece: &[u8]) -> Result<(), Refusal> {
        if self.text.len() + piece.len() > self.limit {
            return Err(self.too_large());
        }
        self.charge.grow(piece.len());
        self.text.extend_from_slice(piece);
        Ok(())
    }

    fn finish(self: Box<Self>, call: &mut Call<'_>) -> Result<Outcome, Refusal> {
        let text = String::from_utf8(self.text)
            .map_err(|_| Refusal::new(Code::BadText, "the text is not UTF-8"))?;
        (self.take)(call, text, self.charge)
    }
}
