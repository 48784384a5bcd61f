import io.trino.Session;
import io.trino.plugin.memory.MemoryPlugin;
import io.trino.testing.DistributedQueryRunner;
import io.trino.testing.TestingSession;
import java.util.Map;

/** A Trino server of one node with an empty catalog {@code memory}; it says where it listens once it does. */
public final class Trino {
    private Trino() {}

    public static void main(String[] none) throws Exception {
        Session session = TestingSession.testSessionBuilder().setCatalog("memory").setSchema("default").build();
        DistributedQueryRunner server = DistributedQueryRunner.builder(session)
                .setNodeCount(1)
                // Rows are loaded by statements of some megabytes.
                .setCoordinatorProperties(Map.of("query.max-length", "100000000"))
                .build();
        server.installPlugin(new MemoryPlugin());
        server.createCatalog("memory", "memory", Map.of("memory.max-data-per-node", "512MB"));
        System.out.println("listens at " + server.getCoordinator().getBaseUrl());
        Thread.currentThread().join();
    }
}
