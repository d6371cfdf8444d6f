#pragma once

#include "base/result.h"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace thurn::storage {

class Statement;

/// One connection to an SQLite database.
///
/// Shape    A resource: one owner, moves, does not copy. WAL journal, full sync, foreign keys on.
/// Errors   `corrupt`: not a database, or damaged. `refused`: locked by another beyond the busy time-out, or read-only. `full`, `disk`.
/// Threads  One at a time: the owner holds the lock.
class Database {
public:
    struct Options {
        std::filesystem::path path;
        std::chrono::milliseconds busy_timeout{5000};
    };

    Database() = default;
    Database(Database&& other) noexcept;
    Database& operator=(Database&& other) noexcept;
    ~Database();

    /// Opens the file; makes it, for its owner's eyes only (0600), when there is none.
    [[nodiscard]] static base::Result<Database> open(const Options& options);
    [[nodiscard]] base::Result<Statement> prepare(std::string_view sql);
    /// Runs statements without parameters or rows. Never with text from outside.
    [[nodiscard]] base::Result<void> run(const char* sql);
    [[nodiscard]] base::Error last_error() const;
    /// Rows changed by the last statement.
    [[nodiscard]] std::int64_t changes() const;
    [[nodiscard]] std::int64_t last_row() const;

private:
    explicit Database(sqlite3* handle) : handle_(handle) {}
    sqlite3* handle_ = nullptr;
};

/// A prepared statement, kept and used again: start(), bind_…, step() until false.
///
/// Limits   bind_text() keeps a view: it must live until the statement is started again or rewound.
class Statement {
public:
    Statement() = default;
    Statement(Statement&& other) noexcept;
    Statement& operator=(Statement&& other) noexcept;
    ~Statement();

    /// Binds parameters 1, 2, … and forgets earlier ones.
    template <class... Values>
    Statement& start(const Values&... values) {
        rewind();
        int index = 0;
        (bind(++index, values), ...);
        return *this;
    }
    /// True: there is a row. After false or an error the statement is rewound.
    [[nodiscard]] base::Result<bool> step();
    /// Steps to the end, whatever rows come.
    [[nodiscard]] base::Result<void> finish();
    /// Ends reading: releases the read lock.
    void rewind();
    [[nodiscard]] std::string text(int column) const;
    [[nodiscard]] std::int64_t number(int column) const;
    [[nodiscard]] bool is_null(int column) const;

private:
    friend class Database;
    explicit Statement(sqlite3_stmt* handle) : handle_(handle) {}
    void bind(int index, std::string_view text);
    void bind(int index, std::int64_t number);
    sqlite3_stmt* handle_ = nullptr;
};

/// Rolls back unless committed.
class Transaction {
public:
    [[nodiscard]] static base::Result<Transaction> begin(Database& database);  // takes the write lock at once
    Transaction(Transaction&& other) noexcept;
    Transaction& operator=(Transaction&&) = delete;
    ~Transaction();
    [[nodiscard]] base::Result<void> commit();

private:
    explicit Transaction(Database& database) : database_(&database) {}
    Database* database_;
};

}  // namespace thurn::storage
