package sallyport;

import java.util.LinkedHashMap;
import java.util.Map;

import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.context.annotation.Bean;
import org.springframework.core.annotation.Order;
import org.springframework.security.config.Customizer;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.core.Authentication;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.security.oauth2.client.oidc.web.logout.OidcClientInitiatedLogoutSuccessHandler;
import org.springframework.security.oauth2.client.registration.ClientRegistrationRepository;
import org.springframework.security.oauth2.client.web.DefaultOAuth2AuthorizationRequestResolver;
import org.springframework.security.oauth2.client.web.OAuth2AuthorizationRequestCustomizers;
import org.springframework.security.oauth2.core.oidc.user.OidcUser;
import org.springframework.security.oauth2.jwt.JwtValidators;
import org.springframework.security.oauth2.jwt.NimbusJwtDecoder;
import org.springframework.security.oauth2.server.resource.introspection.SpringOpaqueTokenIntrospector;
import org.springframework.security.web.SecurityFilterChain;
import org.springframework.security.web.csrf.CsrfToken;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;

/** An application that signs users in, and an API in two forms: with JWTs and with introspection. */
@SpringBootApplication
@RestController
public class Application {
    public static void main(String[] args) {
        SpringApplication.run(Application.class, args);
    }

    /** The API with JWTs. Access tokens have the type at+jwt (RFC 9068), which is not the default here. */
    @Bean
    @Order(1)
    SecurityFilterChain tokens(HttpSecurity http, @Value("${issuer}") String issuer) throws Exception {
        NimbusJwtDecoder decoder = NimbusJwtDecoder.withIssuerLocation(issuer).validateType(false).build();
        decoder.setJwtValidator(JwtValidators.createAtJwtValidator().issuer(issuer).audience("spring").clientId("spring").build());
        return http.securityMatcher("/jwt")
            .authorizeHttpRequests(a -> a.anyRequest().hasAuthority("SCOPE_email"))
            .oauth2ResourceServer(o -> o.jwt(j -> j.decoder(decoder)))
            .build();
    }

    /** The API with introspection. */
    @Bean
    @Order(2)
    SecurityFilterChain introspected(HttpSecurity http, @Value("${issuer}") String issuer, @Value("${secret}") String secret) throws Exception {
        var introspector = SpringOpaqueTokenIntrospector.withIntrospectionUri(issuer + "/introspect").clientId("spring").clientSecret(secret).build();
        return http.securityMatcher("/opaque")
            .authorizeHttpRequests(a -> a.anyRequest().hasAuthority("SCOPE_email"))
            .oauth2ResourceServer(o -> o.opaqueToken(t -> t.introspector(introspector)))
            .build();
    }

    /** The application: login with PKCE, and logout here, there, and from there. */
    @Bean
    @Order(3)
    SecurityFilterChain login(HttpSecurity http, ClientRegistrationRepository clients) throws Exception {
        var requests = new DefaultOAuth2AuthorizationRequestResolver(clients, "/oauth2/authorization");
        requests.setAuthorizationRequestCustomizer(OAuth2AuthorizationRequestCustomizers.withPkce());
        var bye = new OidcClientInitiatedLogoutSuccessHandler(clients);
        bye.setPostLogoutRedirectUri("{baseUrl}/bye");
        return http.authorizeHttpRequests(a -> a.requestMatchers("/bye", "/ready").permitAll().anyRequest().authenticated())
            .oauth2Login(l -> l.authorizationEndpoint(e -> e.authorizationRequestResolver(requests)))
            .logout(l -> l.logoutSuccessHandler(bye))
            .oidcLogout(l -> l.backChannel(Customizer.withDefaults()))
            .build();
    }

    @GetMapping("/me")
    Map<String, Object> me(@AuthenticationPrincipal OidcUser user, CsrfToken csrf) {
        Map<String, Object> out = new LinkedHashMap<>();
        out.put("sub", user.getSubject());
        out.put("email", user.getEmail());
        out.put("csrf", csrf.getToken());
        return out;
    }

    @GetMapping({"/jwt", "/opaque"})
    Map<String, Object> caller(Authentication caller) {
        return Map.of("sub", caller.getName());
    }

    @GetMapping({"/bye", "/ready"})
    String done() {
        return "done";
    }
}
