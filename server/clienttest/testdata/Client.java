import java.sql.*;
import java.util.*;

/** Asks the server what JDBC programs ask: metadata, cursors, prepared statements that become binary. */
public class Client {
    interface Check { void run() throws Exception; }
    static final int EVENTS = 1000;

    static void check(String name, Check c) {
        try {
            c.run();
            System.out.println("ok " + name);
        } catch (Throwable e) {
            System.out.println("not ok " + name + ": " + e.toString().replace('\n', ' '));
            if (System.getenv("VERBOSE") != null) e.printStackTrace();
        }
    }

    static void equal(Object got, Object want) {
        if (!Objects.equals(got, want)) throw new AssertionError("got " + got + ", want " + want);
    }

    static int drain(ResultSet rs) throws SQLException {
        int n = 0, columns = rs.getMetaData().getColumnCount();
        while (rs.next()) {
            for (int i = 1; i <= columns; i++) rs.getString(i);
            n++;
        }
        rs.close();
        return n;
    }

    static Set<String> column(ResultSet rs, String name) throws SQLException {
        Set<String> out = new TreeSet<>();
        while (rs.next()) out.add(rs.getString(name).toLowerCase());
        rs.close();
        return out;
    }

    public static void main(String[] args) throws Exception {
        Properties p = new Properties();
        p.setProperty("user", System.getenv("PGUSER"));
        p.setProperty("password", System.getenv().getOrDefault("PGPASSWORD", ""));
        Connection c = DriverManager.getConnection("jdbc:postgresql://127.0.0.1:" + System.getenv("PGPORT") + "/cairn", p);
        DatabaseMetaData md = c.getMetaData();
        System.out.println("version " + md.getDriverVersion());
        check("query", () -> {
            ResultSet rs = c.createStatement().executeQuery("SELECT count(*) FROM events");
            rs.next();
            equal(rs.getLong(1), (long) EVENTS);
        });
        check("types", () -> {
            ResultSet rs = c.createStatement().executeQuery(
                "SELECT eventTime, readOnly, userIdentity, eventName, 1::bigint, 1.5::double precision FROM events ORDER BY eventTime LIMIT 1");
            rs.next();
            equal(rs.getTimestamp(1).toInstant().toString(), "2026-01-01T00:00:00Z");
            equal(rs.getBoolean(2), true);
            equal(rs.getString(3).contains("IAMUser"), true);
            equal(rs.getString(4), "GetObject");
            equal(rs.getLong(5), 1L);
            equal(rs.getDouble(6), 1.5);
        });
        check("binary after five executions", () -> {
            PreparedStatement s = c.prepareStatement(
                "SELECT eventTime, readOnly, eventName, 7::bigint, 2.5::double precision, eventID, 12.25::decimal(5,2) FROM events WHERE eventName = ? AND eventTime >= ? ORDER BY eventTime LIMIT 1");
            for (int i = 0; i < 12; i++) {
                s.setString(1, "PutObject");
                s.setTimestamp(2, Timestamp.from(java.time.Instant.parse("2026-01-01T00:00:00Z")));
                ResultSet rs = s.executeQuery();
                rs.next();
                equal(rs.getTimestamp(1).toInstant().toString(), "2026-01-01T00:01:00Z");
                equal(rs.getBoolean(2), false);
                equal(rs.getString(3), "PutObject");
                equal(rs.getLong(4), 7L);
                equal(rs.getDouble(5), 2.5);
                equal(rs.getBigDecimal(7).toPlainString(), "12.25");
            }
        });
        check("fetch size", () -> {
            c.setAutoCommit(false);
            PreparedStatement s = c.prepareStatement("SELECT eventID FROM events");
            s.setFetchSize(100);
            equal(drain(s.executeQuery()), EVENTS);
            c.commit();
            c.setAutoCommit(true);
        });
        check("read-only transaction", () -> {
            c.setReadOnly(true);
            c.setTransactionIsolation(Connection.TRANSACTION_REPEATABLE_READ);
            c.setAutoCommit(false);
            equal(drain(c.createStatement().executeQuery("SELECT 1")), 1);
            c.rollback();
            c.setAutoCommit(true);
            c.setReadOnly(false);
        });
        check("error with code", () -> {
            try {
                c.createStatement().executeQuery("SELECT nothing FROM events");
            } catch (SQLException e) {
                equal(e.getSQLState(), "42703");
                return;
            }
            throw new AssertionError("no error");
        });
        check("statement timeout", () -> {
            Statement s = c.createStatement();
            s.setQueryTimeout(1);
            try {
                s.executeQuery("SELECT count(*) FROM events a CROSS JOIN events b CROSS JOIN events d WHERE a.eventID || b.eventID || d.eventID LIKE '%no%such%'");
            } catch (SQLException e) {
                equal(e.getSQLState(), "57014");
                return;
            }
            throw new AssertionError("not cancelled");
        });
        check("array parameter", () -> {
            PreparedStatement s = c.prepareStatement("SELECT count(*) FROM events WHERE eventName = ANY(?)");
            s.setArray(1, c.createArrayOf("text", new String[] {"GetObject", "PutObject"}));
            ResultSet rs = s.executeQuery();
            rs.next();
            equal(rs.getLong(1), (long) EVENTS / 2);
        });
        check("product name", () -> equal(md.getDatabaseProductName(), "PostgreSQL"));
        check("schemas", () -> equal(column(md.getSchemas(), "TABLE_SCHEM").contains("public"), true));
        check("catalogs", () -> equal(column(md.getCatalogs(), "TABLE_CAT").contains("cairn"), true));
        check("table types", () -> equal(column(md.getTableTypes(), "TABLE_TYPE").contains("table"), true));
        check("tables", () -> equal(column(md.getTables(null, "public", "%", new String[] {"TABLE"}), "TABLE_NAME").contains("events"), true));
        check("all tables", () -> equal(drain(md.getTables(null, null, "%", null)) > 20, true));
        check("columns", () -> {
            ResultSet rs = md.getColumns(null, "public", "events", "%");
            Map<String, Integer> types = new HashMap<>();
            while (rs.next()) {
                types.put(rs.getString("COLUMN_NAME").toLowerCase(), rs.getInt("DATA_TYPE"));
                rs.getString("TYPE_NAME");
                rs.getInt("COLUMN_SIZE");
                rs.getString("IS_NULLABLE");
                rs.getInt("ORDINAL_POSITION");
            }
            equal(types.get("eventtime"), Types.TIMESTAMP);
            equal(types.get("eventname"), Types.VARCHAR);
            equal(types.get("readonly"), Types.BIT);
        });
        check("columns of the catalogue", () -> equal(drain(md.getColumns(null, "pg_catalog", "pg_class", "%")) > 10, true));
        check("primary keys", () -> equal(drain(md.getPrimaryKeys(null, "public", "events")), 0));
        check("imported keys", () -> equal(drain(md.getImportedKeys(null, "public", "events")), 0));
        check("exported keys", () -> equal(drain(md.getExportedKeys(null, "public", "events")), 0));
        check("index info", () -> equal(drain(md.getIndexInfo(null, "public", "events", false, false)), 0));
        check("best row identifier", () -> equal(drain(md.getBestRowIdentifier(null, "public", "events", 0, true)), 0));
        check("version columns", () -> drain(md.getVersionColumns(null, "public", "events")));
        check("type info", () -> equal(drain(md.getTypeInfo()) > 10, true));
        check("user-defined types", () -> drain(md.getUDTs(null, "public", "%", null)));
        check("functions", () -> equal(drain(md.getFunctions(null, null, "%")) > 50, true));
        check("function columns", () -> drain(md.getFunctionColumns(null, null, "lower", "%")));
        check("procedures", () -> drain(md.getProcedures(null, null, "%")));
        check("procedure columns", () -> drain(md.getProcedureColumns(null, null, "%", "%")));
        check("table privileges", () -> drain(md.getTablePrivileges(null, "public", "events")));
        check("column privileges", () -> drain(md.getColumnPrivileges(null, "public", "events", "%")));
        check("client info", () -> drain(md.getClientInfoProperties()));
        check("keywords", () -> equal(md.getSQLKeywords() != null, true));
        check("functions by family", () -> md.getStringFunctions());
        check("result metadata", () -> {
            ResultSet rs = c.createStatement().executeQuery("SELECT eventName, eventTime FROM events LIMIT 1");
            ResultSetMetaData m = rs.getMetaData();
            equal(m.getColumnType(1), Types.VARCHAR);
            equal(m.getColumnTypeName(2), "timestamptz");
            m.isNullable(1);
            m.isAutoIncrement(1);
            m.getTableName(1);
            m.getColumnDisplaySize(1);
        });
        check("parameter metadata", () -> {
            PreparedStatement s = c.prepareStatement("SELECT count(*) FROM events WHERE eventName = ?");
            equal(s.getParameterMetaData().getParameterCount(), 1);
        });
        check("schema of the connection", () -> equal(c.getSchema(), "public"));
        check("validity", () -> equal(c.isValid(5), true));
        c.close();
    }
}
