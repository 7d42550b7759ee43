//! Parquet files of flat tables: optional columns of texts and numbers, uncompressed.

use std::io::{self, Write};
use std::sync::Arc;

use parquet::basic::{LogicalType, Repetition, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{Type, TypePtr};

use super::table::{Cell, Column, Kind};

/// What files name as their maker: no version, so that the same rows are the same bytes.
const MAKER: &str = "sudare";

/// Writes a table row group by row group.
pub(super) struct ParquetWriter<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    columns: &'static [Column],
}

impl<W: Write + Send> ParquetWriter<W> {
    pub(super) fn new(out: W, name: &str, columns: &'static [Column]) -> io::Result<Self> {
        let properties = WriterProperties::builder().set_created_by(MAKER.to_owned()).build();
        let schema = schema(name, columns).map_err(failed)?;
        let writer = SerializedFileWriter::new(out, schema, Arc::new(properties));
        Ok(Self { writer: writer.map_err(failed)?, columns })
    }

    /// Writes these rows, a cell a column, as one group.
    pub(super) fn group(&mut self, rows: &[Vec<Cell>]) -> io::Result<()> {
        self.write(rows).map_err(failed)
    }

    /// Writes the footer; gives back what was written to.
    pub(super) fn finish(self) -> io::Result<W> {
        self.writer.into_inner().map_err(failed)
    }

    fn write(&mut self, rows: &[Vec<Cell>]) -> Result<(), ParquetError> {
        let mut group = self.writer.next_row_group()?;
        for (place, (_, kind)) in self.columns.iter().enumerate() {
            let Some(mut column) = group.next_column()? else { break };
            let cells = || rows.iter().map(|row| row.get(place).unwrap_or(&Cell::Empty));
            let there: Vec<i16> = cells().map(|cell| i16::from(*cell != Cell::Empty)).collect();
            match kind {
                Kind::Text => {
                    let texts: Vec<ByteArray> = cells().filter_map(text).collect();
                    column.typed::<ByteArrayType>().write_batch(&texts, Some(&there), None)?;
                }
                Kind::Number => {
                    let numbers: Vec<i64> = cells().filter_map(number).collect();
                    column.typed::<Int64Type>().write_batch(&numbers, Some(&there), None)?;
                }
            }
            column.close()?;
        }
        group.close()?;
        Ok(())
    }
}

fn text(cell: &Cell) -> Option<ByteArray> {
    if let Cell::Text(text) = cell { Some(text.as_str().into()) } else { None }
}

/// The bits of a `u64`: the column's logical type says how to read them.
const fn number(cell: &Cell) -> Option<i64> {
    if let Cell::Number(number) = cell { Some(number.cast_signed()) } else { None }
}

fn schema(name: &str, columns: &[Column]) -> Result<TypePtr, ParquetError> {
    let mut fields = Vec::with_capacity(columns.len());
    for (name, kind) in columns {
        let (physical, logical) = match kind {
            Kind::Text => (Physical::BYTE_ARRAY, LogicalType::String),
            Kind::Number => (Physical::INT64, LogicalType::integer(64, false)),
        };
        let field = Type::primitive_type_builder(name, physical)
            .with_repetition(Repetition::OPTIONAL)
            .with_logical_type(Some(logical));
        fields.push(Arc::new(field.build()?));
    }
    Ok(Arc::new(Type::group_type_builder(name).with_fields(fields).build()?))
}

fn failed(error: ParquetError) -> io::Error {
    io::Error::other(error)
}
